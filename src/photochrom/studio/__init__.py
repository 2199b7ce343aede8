"""The studio: a page on one's own machine where photographs are coloured by looking.

server.py    starts and ends it, with its folder of temporary files
guard.py     lets through what the page needs, and nothing else
page.py      the page: its tabs, its theme
photo_tab.py, film_tab.py, folder_tab.py     what a tab shows, and what happens at each click
api.py       the same for programs
tools.py     what the tabs share
session.py   one visitor's photograph and choices, without Gradio
shared.py    what all visitors share
pictures.py  what is shown: small pictures, marks, doubt
"""
