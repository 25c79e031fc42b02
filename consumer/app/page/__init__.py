"""The admin page: made anew from the state, whole for a browser without scripts, live for the others."""

from consumer.app.page.rendering import Settings as Settings
from consumer.app.page.rendering import render_page as render_page
