-- Nobody looks alerts up by their incident, and each of them paid for it.
DROP INDEX alerts_incident
