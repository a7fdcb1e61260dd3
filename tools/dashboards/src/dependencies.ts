/** What the processes need, and how they are. */
import type { DashboardBuilder } from '@grafana/grafana-foundation-sdk/dashboard';
import { dashboard, figure, graph, row, stack } from './panels.ts';

/** Of all programs that Prometheus sees, those of Tidemark. */
const ours = (expr: string) => `max by (job, instance) (${expr}) and on (job, instance) tidemark_dependency_up`;

export function dependencies(): DashboardBuilder {
  return dashboard({
    uid: 'tidemark-dependencies',
    title: 'Tidemark / Dependencies',
    description:
      'Whether database, broker and processes are there, records and certificates in order, and what processes use.',
    from: 'now-6h',
  })
    .withPanel(
      figure(
        {
          title: 'Missing dependencies',
          description: 'What some process misses, as its /readyz says.',
          unit: 'short',
          redFrom: 1,
        },
        'count(tidemark_dependency_up == 0) or vector(0)',
      ),
    )
    .withPanel(
      figure(
        {
          title: 'Damaged records',
          description: 'Records that are set aside, once for each use that fails.',
          unit: 'short',
          redFrom: 1,
        },
        'sum(max by (job, kind) (tidemark_quarantined_records))',
      ),
    )
    .withPanel(
      figure(
        {
          title: 'Processes',
          description: 'Processes of Tidemark that Prometheus sees.',
          unit: 'short',
        },
        'count(count by (job, instance) (tidemark_dependency_up)) or vector(0)',
      ),
    )
    .withRow(row('What is needed'))
    .withPanel(
      graph(
        {
          title: 'Dependencies',
          description: '1 is there, 0 is missing for at least one process of the job.',
          unit: 'short',
        },
        ['min by (job, dependency) (tidemark_dependency_up)', '{{job}}: {{dependency}}'],
      ),
    )
    .withPanel(
      stack(
        {
          title: 'Messages to workers',
          description: 'In each interval: published with the confirmation of RabbitMQ, or failed.',
          unit: 'short',
        },
        ['sum by (outcome) (increase(tidemark_rings_total[$__rate_interval]))', '{{outcome}}'],
      ),
    )
    .withPanel(
      graph(
        {
          title: 'Damaged records by kind',
          description: 'Those that are set aside now.',
          unit: 'short',
        },
        ['max by (job, kind) (tidemark_quarantined_records)', '{{job}}: {{kind}}'],
      ),
    )
    .withPanel(
      graph(
        {
          title: 'Certificates',
          description: 'Time until the certificate in use expires.',
          unit: 's',
        },
        ['min by (job, file) (tidemark_certificate_expiry_timestamp_seconds) - time()', '{{job}}: {{file}}'],
      ),
    )
    .withRow(row('Of each process'))
    .withPanel(
      stack(
        {
          title: 'Versions',
          description: 'Processes of each version; two of them are an upgrade under way.',
          unit: 'short',
        },
        ['count by (version, node) (tidemark_build_info)', '{{version}}, Node.js {{node}}'],
      ),
    )
    .withPanel(
      graph({ title: 'Memory', description: 'Resident memory of each process.', unit: 'bytes' }, [
        ours('process_resident_memory_bytes'),
        '{{job}} {{instance}}',
      ]),
    )
    .withPanel(
      graph({ title: 'Processor time', description: 'Cores that each process uses.', unit: 'short' }, [
        ours('rate(process_cpu_seconds_total[$__rate_interval])'),
        '{{job}} {{instance}}',
      ]),
    )
    .withPanel(
      graph(
        {
          title: 'Event loop',
          description: 'How late the event loop of Node.js is: 99 of 100 measurements were below.',
          unit: 's',
        },
        [ours('nodejs_eventloop_lag_p99_seconds'), '{{job}} {{instance}}'],
      ),
    )
    .withPanel(
      graph(
        {
          title: 'Age of processes',
          description: 'Since each was started: a line that drops to 0 is a restart.',
          unit: 's',
        },
        [ours('time() - process_start_time_seconds'), '{{job}} {{instance}}'],
      ),
    );
}
