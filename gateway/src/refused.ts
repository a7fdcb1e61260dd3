import { counter } from '@tidemark/service-kit/metrics';

/** Everything that is turned away before a route sees it. */
export const refused = counter(
  'tidemark_http_refused_total',
  'Requests and connections that were refused before they reached a route.',
  ['reason'],
);
