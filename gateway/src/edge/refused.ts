import { counter } from '@tidemark/service-kit/metrics';

/** Everything that a limit turned away, by which one; `docs/limits.md` lists them. */
export const refused = counter(
  'tidemark_http_refused_total',
  'Requests, streams and connections that a limit turned away.',
  ['reason'],
);
