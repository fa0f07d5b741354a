"""The figures: what models think of the next note, how they learned, what they compose, and where they stand.

Drawn with matplotlib's figure objects alone: no global state, no window, the same bytes for the same numbers. Each can
be had as PNG, to keep, and as SVG whose lines take the colours of the page that it stands in.
"""

from cantilena.reporting.figures.distributions import distribution_panels as distribution_panels
from cantilena.reporting.figures.learning import learning_curves as learning_curves
from cantilena.reporting.figures.learning import reward_history as reward_history
from cantilena.reporting.figures.learning import watch_history as watch_history
from cantilena.reporting.figures.listener import accuracy_by_length as accuracy_by_length
from cantilena.reporting.figures.listening import by_clip as by_clip
from cantilena.reporting.figures.listening import by_listener as by_listener
from cantilena.reporting.figures.listening import called_human as called_human
from cantilena.reporting.figures.listening import confidence_curves as confidence_curves
from cantilena.reporting.figures.metrics import frontier_panels as frontier_panels
from cantilena.reporting.figures.metrics import metric_panels as metric_panels
from cantilena.reporting.figures.metrics import rules_and_diversity as rules_and_diversity
from cantilena.reporting.figures.output import png_bytes as png_bytes
from cantilena.reporting.figures.output import svg_text as svg_text
from cantilena.reporting.figures.probabilities import note_probabilities as note_probabilities
from cantilena.reporting.figures.search import SearchedParameter as SearchedParameter
from cantilena.reporting.figures.search import search_panels as search_panels
from cantilena.reporting.figures.similarity import likeness_after as likeness_after
from cantilena.reporting.figures.similarity import likeness_maps as likeness_maps
from cantilena.reporting.figures.similarity import scale_of as scale_of
from cantilena.reporting.figures.style import Figure as Figure
from cantilena.reporting.figures.style import colours_of as colours_of
from cantilena.reporting.figures.styles import mark_of as mark_of
from cantilena.reporting.figures.styles import silhouette_curve as silhouette_curve
from cantilena.reporting.figures.styles import style_map as style_map
from cantilena.reporting.figures.told_styles import style_confusion as style_confusion
