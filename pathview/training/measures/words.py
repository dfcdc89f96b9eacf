"""What figures are called, on pages and on the model card; it imports nothing, so that the window can ask it early."""

from __future__ import annotations

FIGURES = {
    "auc": "AUC",
    "accuracy": "Accuracy (ACC)",
    "balanced_accuracy": "Balanced accuracy",
    "sensitivity": "Sensitivity (SE)",
    "specificity": "Specificity (SP)",
    "precision": "Precision (P)",
    "f1": "F1",
    "dice": "Dice, mean of images",
    "iou": "IoU, mean of images",
    "pooled_dice": "Dice, all pixels together",
}
"""In the order in which they are told."""
BELOW_HALF = "An AUC below 0.5 ranks the images worse than chance would."


def figure_words(name: str) -> str:
    """What a figure is called."""
    return FIGURES.get(name, name.replace("_", " "))
