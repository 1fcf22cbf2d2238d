"""From a chosen bundle and live Applications to what is written where. Pure: values in, values out."""
