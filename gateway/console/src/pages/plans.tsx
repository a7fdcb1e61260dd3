import { strategies } from '../api.ts';
import { useLive } from '../live.ts';
import { Mark } from '../parts/mark.tsx';
import { Page, Section } from '../parts/page.tsx';
import { Pager } from '../parts/pager.tsx';
import { Table } from '../parts/table.tsx';
import { At } from '../parts/time.tsx';
import { useQuery } from '../parts/use-query.ts';
import { anything } from '../query.ts';
import { mayOperate, seesAll } from '../session.ts';
import { pathOf } from '../shell.ts';
import { shortDays } from './cluster.tsx';
import { NEW } from './rule.tsx';

const PAGE = 50;
const TAKEN = { after: anything };
const EVERY_MS = 10_000;

/** When clusters are backed up by themselves: strategies for labels, and the rules of all clusters. */
export function PlansPage() {
  const query = useQuery();
  const live = useLive(
    query.text,
    (signal) => strategies.listStrategies({ pageSize: PAGE, pageToken: query.get('after') ?? '' }, { signal }),
    EVERY_MS,
  );
  const { data } = live;
  return (
    <Page
      title="Plans"
      taken={TAKEN}
      live={live}
      loading="rules"
      same={seesAll.value ? [{ method: 'GET', path: '/strategies', tidemark: ['strategies', 'list'] }] : []}
    >
      {seesAll.value && <ForLabels />}
      <Section title="Rules of clusters">
        {data.value && (
          <>
            <Table
              label="Rules of clusters"
              rows={data.value.strategies}
              keyOf={({ clusterId, rule }) => `${clusterId} ${rule}`}
              empty="No cluster has a rule yet."
              columns={[
                { name: 'Cluster', cell: ({ clusterId }) => <a href={pathOf(['clusters', clusterId])}>{clusterId}</a> },
                {
                  name: 'Rule',
                  cell: ({ clusterId, rule, fleetStrategy }) => (
                    <>
                      <a
                        href={pathOf(['clusters', clusterId, 'rules', rule])}
                        aria-label={`Rule ${rule} of ${clusterId}`}
                      >
                        {rule}
                      </a>
                      {fleetStrategy && <span class="muted"> from {fleetStrategy}</span>}
                    </>
                  ),
                },
                { name: 'Days', cell: ({ days }) => shortDays(days) },
                { name: 'Window', cell: ({ period, timeZone }) => `${period} ${timeZone}` },
                {
                  name: 'Next start',
                  cell: ({ paused, fleetPaused, nextWindow }) =>
                    paused || fleetPaused ? <Paused /> : <At at={nextWindow?.startAt} />,
                },
              ]}
            />
            <Pager next={data.value.nextPageToken} />
          </>
        )}
      </Section>
    </Page>
  );
}

function Paused() {
  return <Mark word={{ name: 'paused', text: 'Paused', tone: 'warn' }} />;
}

function ForLabels() {
  const live = useLive(
    'for labels',
    async (signal) => (await strategies.listFleetStrategies({}, { signal })).fleetStrategies,
    EVERY_MS,
  );
  const { data } = live;
  return (
    <Section
      title="Strategies for labels"
      live={live}
      more={mayOperate.value && <a href={pathOf(['plans', NEW])}>Add a strategy</a>}
    >
      {data.value && (
        <Table
          label="Strategies for labels"
          rows={data.value}
          keyOf={({ name }) => name}
          empty="There is none: each cluster has rules of its own."
          columns={[
            { name: 'Strategy', cell: ({ name }) => <a href={pathOf(['plans', name])}>{name}</a> },
            {
              name: 'Labels',
              cell: ({ selector }) =>
                Object.entries(selector).map(([key, value]) => (
                  <a key={key} class="chip" href={`/?${new URLSearchParams({ label: `${key}=${value}` })}`}>
                    {key}={value}
                  </a>
                )),
            },
            { name: 'Rule', cell: ({ rule }) => rule },
            { name: 'Days', cell: ({ days }) => shortDays(days) },
            { name: 'Window', cell: ({ period, timeZone }) => `${period} ${timeZone || 'own zones'}` },
            {
              name: 'Clusters',
              cell: ({ clusters, applied }) => `${clusters}${applied ? '' : ', not all told yet'}`,
              isNumber: true,
            },
            { name: 'State', cell: ({ paused }) => (paused ? <Paused /> : 'at work') },
          ]}
        />
      )}
    </Section>
  );
}
