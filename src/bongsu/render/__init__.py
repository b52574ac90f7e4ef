"""Facts in, words out: mails, reports, charts, and the catalogues they speak from."""
