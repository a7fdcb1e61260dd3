/** How all dashboards look. */
import {
  BigValueColorMode,
  BigValueGraphMode,
  StackingConfigBuilder,
  StackingMode,
  TooltipDisplayMode,
  VizLegendOptionsBuilder,
  VizTooltipOptionsBuilder,
} from '@grafana/grafana-foundation-sdk/common';
import {
  AdHocVariableBuilder,
  DashboardBuilder,
  DashboardLinkBuilder,
  DashboardLinkType,
  DatasourceVariableBuilder,
  RowBuilder,
  ThresholdsConfigBuilder,
  ThresholdsMode,
} from '@grafana/grafana-foundation-sdk/dashboard';
import { DataqueryBuilder } from '@grafana/grafana-foundation-sdk/prometheus';
import { PanelBuilder as StatBuilder } from '@grafana/grafana-foundation-sdk/stat';
import { PanelBuilder as GraphBuilder } from '@grafana/grafana-foundation-sdk/timeseries';

/** A question to Prometheus, and how the legend calls its series: `{{pool}}` is the label of that name. */
export type Query = readonly [expr: string, legend: string];

interface PanelOptions {
  readonly title: string;
  /** What it shows, for the reader of the dashboard. */
  readonly description: string;
  /** As Grafana calls it, such as `s`. */
  readonly unit: string;
}

const SOURCE = { type: 'prometheus', uid: `\${datasource}` };
const TAG = 'tidemark';
/** Of the 24 columns of a dashboard. */
const GRAPH_WIDTH = 12;
const FIGURE_WIDTH = 3;
const GRAPH_HEIGHT = 8;
const FIGURE_HEIGHT = 4;

/** A dashboard that links to the others, and asks the Prometheus that its reader chooses; its reader may narrow it by labels. */
export function dashboard(options: {
  readonly uid: string;
  readonly title: string;
  readonly description: string;
  /** Such as `now-24h`. */
  readonly from: string;
}): DashboardBuilder {
  return new DashboardBuilder(options.title)
    .uid(options.uid)
    .description(options.description)
    .tags([TAG])
    .time({ from: options.from, to: 'now' })
    .refresh('1m')
    .link(new DashboardLinkBuilder('Tidemark').type(DashboardLinkType.Dashboards).tags([TAG]).keepTime(true))
    .withVariable(new DatasourceVariableBuilder('datasource').label('Prometheus').type('prometheus'))
    .withVariable(new AdHocVariableBuilder('filters').label('Only').datasource(SOURCE));
}

/** A heading above the panels that follow. */
export const row = (title: string): RowBuilder => new RowBuilder(title);

/** Series over time. */
export function graph(options: PanelOptions, ...queries: readonly Query[]): GraphBuilder {
  return new GraphBuilder()
    .title(options.title)
    .description(options.description)
    .datasource(SOURCE)
    .unit(options.unit)
    .min(0)
    .span(GRAPH_WIDTH)
    .height(GRAPH_HEIGHT)
    .fillOpacity(8)
    .legend(new VizLegendOptionsBuilder().showLegend(true))
    .tooltip(new VizTooltipOptionsBuilder().mode(TooltipDisplayMode.Multi))
    .targets(queries.map(toQuery));
}

/** The same on top of each other, for what adds up. */
export function stack(options: PanelOptions, ...queries: readonly Query[]): GraphBuilder {
  return graph(options, ...queries)
    .fillOpacity(40)
    .stacking(new StackingConfigBuilder().mode(StackingMode.Normal));
}

/** One number as it is now; it turns red where it is `redFrom` or more. */
export function figure(options: PanelOptions & { readonly redFrom?: number }, expr: string): StatBuilder {
  const steps = [{ value: null, color: options.redFrom === undefined ? 'text' : 'green' }];
  return new StatBuilder()
    .title(options.title)
    .description(options.description)
    .datasource(SOURCE)
    .unit(options.unit)
    .span(FIGURE_WIDTH)
    .height(FIGURE_HEIGHT)
    .graphMode(BigValueGraphMode.None)
    .colorMode(BigValueColorMode.Value)
    .thresholds(
      new ThresholdsConfigBuilder()
        .mode(ThresholdsMode.Absolute)
        .steps(options.redFrom === undefined ? steps : [...steps, { value: options.redFrom, color: 'red' }]),
    )
    .targets([toQuery([expr, options.title], 0).instant()]);
}

function toQuery([expr, legend]: Query, index: number): DataqueryBuilder {
  return new DataqueryBuilder()
    .refId(String.fromCharCode('A'.charCodeAt(0) + index))
    .expr(expr)
    .legendFormat(legend);
}
