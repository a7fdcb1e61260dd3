import type { dashboards } from '@tidemark/dashboards/dashboards';

export interface DashboardQuery {
  /** With an interval in the place of Grafana's own. */
  readonly expr: string;
  readonly legend: string;
  /** The dashboard and the panel, for sentences. */
  readonly where: string;
}

/** Everything that dashboards ask Prometheus. */
export function queriesOf(all: ReturnType<typeof dashboards>): readonly DashboardQuery[] {
  return Object.entries(all).flatMap(([file, { panels = [] }]) =>
    panels.flatMap((panel) => {
      const targets = 'targets' in panel ? (panel.targets ?? []) : [];
      return targets.map((target) => {
        if (!('expr' in target && 'legendFormat' in target)) throw new Error(`${file}: ${panel.title} asks nothing`);
        const expr = String(target.expr).replaceAll('$__rate_interval', '5m');
        return { expr, legend: String(target.legendFormat), where: `${file}: ${panel.title}: ${expr}` };
      });
    }),
  );
}
