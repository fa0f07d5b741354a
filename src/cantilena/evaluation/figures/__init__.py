"""The figures: what models think of the next note, how they learned, what they compose, and where they stand.

Drawn with matplotlib's figure objects alone: no global state, no window, the same bytes for the same numbers. Each can
be had as PNG, to keep, and as SVG whose lines take the colours of the page that it stands in.
"""

from cantilena.evaluation.figures.distributions import distribution_panels as distribution_panels
from cantilena.evaluation.figures.learning import learning_curves as learning_curves
from cantilena.evaluation.figures.learning import reward_history as reward_history
from cantilena.evaluation.figures.learning import watched_looks as watched_looks
from cantilena.evaluation.figures.listener import accuracy_by_length as accuracy_by_length
from cantilena.evaluation.figures.listening import by_clip as by_clip
from cantilena.evaluation.figures.listening import by_listener as by_listener
from cantilena.evaluation.figures.listening import called_human as called_human
from cantilena.evaluation.figures.listening import confidence_curves as confidence_curves
from cantilena.evaluation.figures.metrics import frontier_panels as frontier_panels
from cantilena.evaluation.figures.metrics import metric_panels as metric_panels
from cantilena.evaluation.figures.metrics import rules_and_diversity as rules_and_diversity
from cantilena.evaluation.figures.output import png_bytes as png_bytes
from cantilena.evaluation.figures.output import svg_text as svg_text
from cantilena.evaluation.figures.probabilities import note_probabilities as note_probabilities
from cantilena.evaluation.figures.search import SearchedParameter as SearchedParameter
from cantilena.evaluation.figures.search import search_panels as search_panels
from cantilena.evaluation.figures.similarity import likeness_after as likeness_after
from cantilena.evaluation.figures.similarity import likeness_maps as likeness_maps
from cantilena.evaluation.figures.similarity import scale_of as scale_of
from cantilena.evaluation.figures.style import Figure as Figure
from cantilena.evaluation.figures.style import colours_of as colours_of
from cantilena.evaluation.figures.styles import mark_of as mark_of
from cantilena.evaluation.figures.styles import silhouette_curve as silhouette_curve
from cantilena.evaluation.figures.styles import style_map as style_map
from cantilena.evaluation.figures.told_styles import heard_styles as heard_styles
