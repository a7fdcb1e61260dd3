import { notifications } from '../api.ts';
import { useLive } from '../live.ts';
import { Mark } from '../parts/mark.tsx';
import { Page, WholeFleetPage } from '../parts/page.tsx';
import { Table } from '../parts/table.tsx';
import { Ago } from '../parts/time.tsx';
import { clustersOf, KINDS, SEVERITIES, topicsOf, whereOf } from '../receiver-words.ts';
import { pathOf, type Same } from '../shell.ts';
import { wordOf } from '../words.ts';

const EVERY_MS = 15_000;
const SAME: readonly Same[] = [{ method: 'GET', path: '/notifications', tidemark: ['notification', 'list'] }];

/** Who is told when something becomes bad, and when it is over. */
export function NotificationsPage() {
  return (
    <WholeFleetPage title="Notifications" same={SAME}>
      <Receivers />
    </WholeFleetPage>
  );
}

function Receivers() {
  const live = useLive(
    'receivers',
    async (signal) => (await notifications.listReceivers({}, { signal })).receivers,
    EVERY_MS,
  );
  const { data } = live;
  return (
    <Page title="Notifications" live={live} loading="receivers" same={SAME}>
      <p class="muted">
        Receivers are made and changed by <code>tidemark notification add</code> and <code>set</code>, or over the API.
      </p>
      {data.value && (
        <Table
          label="Receivers"
          rows={data.value}
          keyOf={({ id }) => id}
          empty="Nobody is notified of anything yet."
          columns={[
            {
              name: 'Receiver',
              cell: ({ id, paused }) => (
                <>
                  <a href={pathOf(['notifications', id])}>{id}</a>
                  {paused && <span class="muted"> paused</span>}
                </>
              ),
            },
            { name: 'Kind', cell: ({ kind }) => KINDS.get(kind) ?? 'not known' },
            { name: 'Where', cell: (receiver) => <code>{whereOf(receiver)}</code> },
            { name: 'Clusters', cell: (receiver) => clustersOf(receiver) },
            { name: 'Told of', cell: (receiver) => topicsOf(receiver) },
            { name: 'From', cell: ({ leastSeverity }) => <Mark word={wordOf(SEVERITIES, leastSeverity)} /> },
            { name: 'Changed', cell: ({ updateTime }) => <Ago at={updateTime} /> },
          ]}
        />
      )}
    </Page>
  );
}
