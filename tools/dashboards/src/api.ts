/** Calls of people and programs at the gateway, and between the processes. */
import type { DashboardBuilder } from '@grafana/grafana-foundation-sdk/dashboard';
import { dashboard, graph, row, stack } from './panels.ts';

const rate = (labels: string, counter: string) => `sum by (${labels}) (rate(${counter}[$__rate_interval]))`;
const quantile = (part: number, labels: string, histogram: string) =>
  `histogram_quantile(${part}, sum by (le, ${labels}) (rate(${histogram}_bucket[$__rate_interval])))`;

export function api(): DashboardBuilder {
  return dashboard({
    uid: 'tidemark-api',
    title: 'Tidemark / API',
    description: 'How many calls there are, how they end, how long they take, and what limits turn away.',
    from: 'now-6h',
  })
    .withRow(row('REST'))
    .withPanel(
      stack({ title: 'Requests', description: 'A second, by status.', unit: 'reqps' }, [
        rate('status', 'tidemark_http_seconds_count'),
        '{{status}}',
      ]),
    )
    .withPanel(
      graph({ title: 'Requests by route', description: 'A second: the ten busiest.', unit: 'reqps' }, [
        `topk(10, ${rate('method, route', 'tidemark_http_seconds_count')})`,
        '{{method}} {{route}}',
      ]),
    )
    .withPanel(
      graph(
        {
          title: 'Failures',
          description: 'Requests a second that were answered with 500 or more, by route.',
          unit: 'reqps',
        },
        [
          rate('method, route, status', 'tidemark_http_seconds_count{status=~"5.."}'),
          '{{method}} {{route}}: {{status}}',
        ],
      ),
    )
    .withPanel(
      graph(
        {
          title: 'Duration by route',
          description: 'What 99 of 100 requests took less than: the ten slowest routes.',
          unit: 's',
        },
        [`topk(10, ${quantile(0.99, 'method, route', 'tidemark_http_seconds')})`, '{{method}} {{route}}'],
      ),
    )
    .withRow(row('Connect, gRPC-web and gRPC'))
    .withPanel(
      graph({ title: 'Calls', description: 'A second, by method and protocol: the ten busiest.', unit: 'reqps' }, [
        `topk(10, ${rate('method, protocol', 'tidemark_rpc_seconds_count')})`,
        '{{method}} ({{protocol}})',
      ]),
    )
    .withPanel(
      graph({ title: 'Calls by code', description: 'A second, by how they ended.', unit: 'reqps' }, [
        rate('code', 'tidemark_rpc_seconds_count'),
        '{{code}}',
      ]),
    )
    .withRow(row('Limits'))
    .withPanel(
      graph(
        { title: 'Under way', description: 'Requests being answered, and streams that are open.', unit: 'short' },
        ['sum by (instance) (tidemark_http_in_flight)', '{{instance}}: requests'],
        ['sum by (instance) (tidemark_http_streams)', '{{instance}}: streams'],
      ),
    )
    .withPanel(
      stack(
        {
          title: 'Turned away',
          description: 'Requests, streams and connections a second that a limit refused, by which (docs/limits.md).',
          unit: 'reqps',
        },
        [rate('reason', 'tidemark_http_refused_total'), '{{reason}}'],
      ),
    )
    .withPanel(
      graph(
        { title: 'Audit entries that wait', description: 'For backup-service to keep them as records.', unit: 'short' },
        ['sum by (instance) (tidemark_audit_entries_waiting)', '{{instance}}'],
      ),
    )
    .withPanel(
      graph(
        {
          title: 'Audit entries and lines that were lost',
          description: 'In each interval. The log has them all.',
          unit: 'short',
        },
        ['sum(increase(tidemark_audit_entries_lost_total[$__rate_interval]))', 'entries'],
        ['sum(increase(tidemark_audit_lines_lost_total[$__rate_interval]))', 'lines'],
      ),
    )
    .withRow(row('Between the processes'))
    .withPanel(
      graph({ title: 'Calls of services', description: 'A second: the ten busiest methods.', unit: 'reqps' }, [
        `topk(10, ${rate('job, method', 'tidemark_grpc_server_seconds_count')})`,
        '{{method}}',
      ]),
    )
    .withPanel(
      graph(
        {
          title: 'Duration of calls of services',
          description: 'What 99 of 100 calls took less than: the ten slowest methods.',
          unit: 's',
        },
        [`topk(10, ${quantile(0.99, 'job, method', 'tidemark_grpc_server_seconds')})`, '{{method}}'],
      ),
    )
    .withPanel(
      graph(
        {
          title: 'Calls under way and waiting',
          description: 'Of each service, by group.',
          unit: 'short',
        },
        ['sum by (job, group) (tidemark_grpc_server_under_way)', '{{job}} {{group}}: under way'],
        ['sum by (job, group) (tidemark_grpc_server_waiting)', '{{job}} {{group}}: waiting'],
      ),
    )
    .withPanel(
      graph(
        {
          title: 'Refused because of overload',
          description: 'Calls a second that a service had no time for, by group.',
          unit: 'reqps',
        },
        [rate('job, group', 'tidemark_grpc_server_refused_total'), '{{job}} {{group}}'],
      ),
    );
}
