static const float *encode(const @NAME@_stream_t *s) { return s->@VALUES@; }

