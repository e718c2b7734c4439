"""Sliders around plain, tested draw functions.

A widget shows its first frame as a static picture wherever no widget can run: in a built page, or before the cell
ran. Importing this package does not load ipywidgets: each name is looked up in its module when you first use it.

Examples
--------
>>> from medlearn import widgets
>>> widgets.draw_convolution_1d(f="box", g="box", x=0.0)
[Figure: f: box. g: box, flipped and moved to x = 0.0. The area of their product, (f * g)(0.0), is 2.00.]
"""

from medlearn.lazy import load_lazily

__all__ = load_lazily(
    __name__,
    {
        "adversarial_game": ("GameState", "draw_game", "explore_game"),
        "alignment": ("draw_alignment", "explore_alignment"),
        "blind_reading": ("draw_reading", "read_blind", "reading_truth", "score_reading"),
        "contours": ("draw_contours", "explore_contours"),
        "convolution": ("convolve_image", "named_kernel"),
        "convolution_drawing": ("draw_convolution_1d", "draw_convolution_2d"),
        "convolution_explorer": ("explore_convolution",),
        "ecg_strip": ("draw_strip", "explore_strip"),
        "explorer": ("Explorer", "explore"),
        "feature_maps": ("draw_feature_maps", "explore_feature_maps"),
        "findings": ("Finding", "draw_findings", "explore_findings", "list_findings"),
        "loss_surface": ("draw_loss_surface", "explore_loss_surface"),
        "made_samples": ("draw_samples", "explore_samples"),
        "optimizer_race": ("run_race", "tune_race"),
        "optimizer_race_drawing": ("draw_optimizer_race", "explore_optimizer_race"),
        "quiz": ("show_quiz",),
        "thresholds": ("draw_thresholds", "explore_thresholds"),
        "transform_dragging": ("drag_transform", "draw_transform"),
        "volume_browser": ("browse_volume",),
    },
)
