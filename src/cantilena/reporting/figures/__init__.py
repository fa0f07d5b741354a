"""Figures: what models predict, how they were trained, what they compose, and how systems compare.

Drawn with matplotlib's figure objects only: no global state, no window, the same bytes for the same data. Each can be
saved as PNG, or as SVG with the colours of the page that it is in.
"""

from cantilena.reporting.figures.distributions import distribution_panels as distribution_panels
from cantilena.reporting.figures.learning import learning_curves as learning_curves
from cantilena.reporting.figures.learning import note_probabilities as note_probabilities
from cantilena.reporting.figures.learning import reward_history as reward_history
from cantilena.reporting.figures.learning import watch_history as watch_history
from cantilena.reporting.figures.listening import by_clip as by_clip
from cantilena.reporting.figures.listening import by_listener as by_listener
from cantilena.reporting.figures.listening import called_human as called_human
from cantilena.reporting.figures.listening import confidence_curves as confidence_curves
from cantilena.reporting.figures.metrics import accuracy_by_length as accuracy_by_length
from cantilena.reporting.figures.metrics import frontier_panels as frontier_panels
from cantilena.reporting.figures.metrics import metric_panels as metric_panels
from cantilena.reporting.figures.metrics import rules_and_diversity as rules_and_diversity
from cantilena.reporting.figures.search import SearchedParameter as SearchedParameter
from cantilena.reporting.figures.search import search_panels as search_panels
from cantilena.reporting.figures.similarity import scale_of as scale_of
from cantilena.reporting.figures.similarity import similarity_by_distance as similarity_by_distance
from cantilena.reporting.figures.similarity import similarity_maps as similarity_maps
from cantilena.reporting.figures.style import Figure as Figure
from cantilena.reporting.figures.style import colours_of as colours_of
from cantilena.reporting.figures.style import png_bytes as png_bytes
from cantilena.reporting.figures.style import svg_text as svg_text
from cantilena.reporting.figures.styles import mark_of as mark_of
from cantilena.reporting.figures.styles import silhouette_curve as silhouette_curve
from cantilena.reporting.figures.styles import style_confusion as style_confusion
from cantilena.reporting.figures.styles import style_map as style_map
