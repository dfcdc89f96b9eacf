"""Before anything is trained: data collected, inspected, checked, advised on."""
