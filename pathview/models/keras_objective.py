"""What a training makes small and how: losses, the figure that is watched beside them, optimisers, learning rates."""

from __future__ import annotations

from typing import Any

from pathview.models.recipe import Recipe, TrainingSpec

_WARM_UP = 0.05


def compile_model(model: Any, recipe: Recipe, steps: int) -> None:
    """Give a network its recipe's loss, optimiser and watched figure (``accuracy``, or ``dice`` of outlines).

    Args:
        model: built, not compiled yet.
        recipe: what it is trained by.
        steps: of the whole training, for the learning rate's schedule.
    """
    import keras

    metric = keras.metrics.CategoricalAccuracy(name="accuracy") if recipe.classifies else dice
    model.compile(optimizer=optimizer(recipe.training, steps), loss=loss(recipe), metrics=[metric])
    model.optimizer.build(model.trainable_variables)


def optimizer(spec: TrainingSpec, steps: int) -> Any:
    """The optimiser of a training of so many steps."""
    import keras

    rate = _schedule(spec, steps)
    common: dict[str, Any] = {"clipnorm": spec.clip_norm, "weight_decay": spec.weight_decay or None}
    if spec.ema is not None:
        common |= {"use_ema": True, "ema_momentum": spec.ema}
    if spec.optimizer == "sgd":
        return keras.optimizers.SGD(rate, momentum=float(spec.momentum), **common)
    if spec.optimizer == "rmsprop":
        return keras.optimizers.RMSprop(rate, momentum=float(spec.momentum), **common)
    if spec.optimizer == "adamw":
        return keras.optimizers.AdamW(rate, **{**common, "weight_decay": spec.weight_decay})
    return keras.optimizers.Adam(rate, **common)


def _schedule(spec: TrainingSpec, steps: int) -> Any:
    """The learning rate: constant, old Keras' ``decay`` as per-step inverse time, or a cosine with warm-up."""
    import keras

    if spec.schedule == "inverse-time":
        return keras.optimizers.schedules.InverseTimeDecay(spec.learning_rate, 1, spec.decay)
    if spec.schedule == "cosine":
        warm_up = max(1, int(_WARM_UP * steps))
        return keras.optimizers.schedules.CosineDecay(
            spec.learning_rate / 20, max(1, steps - warm_up), warmup_target=spec.learning_rate, warmup_steps=warm_up
        )
    return spec.learning_rate


def loss(recipe: Recipe) -> Any:
    """A recipe's loss."""
    import keras

    spec = recipe.training
    smoothing = spec.label_smoothing
    if spec.loss == "categorical-crossentropy":
        return keras.losses.CategoricalCrossentropy(label_smoothing=smoothing)
    if spec.loss == "focal" and recipe.classifies:
        return keras.losses.CategoricalFocalCrossentropy(alpha=1.0, gamma=spec.focal_gamma, label_smoothing=smoothing)
    if spec.loss == "focal":
        return keras.losses.BinaryFocalCrossentropy(gamma=spec.focal_gamma, label_smoothing=smoothing)
    entropy = keras.losses.BinaryCrossentropy(label_smoothing=smoothing)
    if spec.loss == "binary-crossentropy":
        return entropy
    if spec.loss == "dice":
        return _dice_loss
    return lambda truth, scores: _dice_loss(truth, scores) + entropy(truth, scores)


def _dice_loss(truth: Any, scores: Any) -> Any:
    """1 - soft Dice of each image (seed 2, Sudre 2017), mean over the batch; empty against empty is 0."""
    from keras import ops

    axes = (1, 2, 3)
    common = ops.sum(truth * scores, axis=axes)
    total = ops.sum(truth, axis=axes) + ops.sum(scores, axis=axes)
    return ops.mean(1.0 - (2.0 * common + 1.0) / (total + 1.0))


def dice(truth: Any, scores: Any) -> Any:
    """Dice of each image's outline at 0.5, [n]; empty against empty is 1."""
    from keras import ops

    axes = (1, 2, 3)
    found, wanted = ops.cast(scores >= 0.5, "float32"), ops.cast(truth > 0.5, "float32")
    total = ops.sum(found, axis=axes) + ops.sum(wanted, axis=axes)
    common = 2.0 * ops.sum(found * wanted, axis=axes)
    return ops.where(total > 0, common / ops.maximum(total, 1.0), 1.0)
