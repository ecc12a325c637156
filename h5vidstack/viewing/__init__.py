"""The viewer: what a page or a Jupyter widget asks about a stack, and how it gets the answers.

`answers` answers questions about one stack: its facts, the samples of regions (`regions`), piles
and duplicates along its frames (`time_line`), and what is known of a frame (`page_facts`).
`page_server` passes questions and answers through HTTP to a browser of this machine
(`system_browser`), `notebook_widget` through messages of Jupyter. Both show the same page, whose
HTML, styles and scripts lie in ``front/`` (`front_end`).
"""
