"""The studio: a page on one's own machine where photographs are coloured by looking.

server.py    starts and ends it, with its folder of temporary files
guard.py     lets through what the page needs, and nothing else
presence.py  sees which visitors are there, and whose work goes where there are too many
page.py      the page: its tabs, its theme
photo_tab.py, film_tab.py, folder_tab.py     what a tab shows, and what happens at each click
canvas.py    the picture in a tab, and how colours are put on it
api.py       the same for programs
tools.py     what the tabs share
visit.py     where a visitor's session lies between clicks, and how errors reach the page
choosing.py  what a visitor works on and has chosen, step by step
session.py, film_session.py     the same of a photograph and of a film, without Gradio
job.py       what takes long with a film, and is stopped
answers.py   what the network said of it
shared.py    what all visitors share
disk.py      how much their files may take up
pictures.py  what is shown: small pictures, marks, doubt
"""
