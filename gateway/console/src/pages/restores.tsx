import { restores } from '../api.ts';
import { useLive } from '../live.ts';
import { Mark } from '../parts/mark.tsx';
import { Page } from '../parts/page.tsx';
import { Pager } from '../parts/pager.tsx';
import { Meter } from '../parts/progress.tsx';
import { Table } from '../parts/table.tsx';
import { At, TaskTime } from '../parts/time.tsx';
import { useQuery } from '../parts/use-query.ts';
import { anything } from '../query.ts';
import { isOpen } from '../restore-acts.ts';
import { mayOperate } from '../session.ts';
import { pathOf } from '../shell.ts';
import { RESTORE_STATES, TARGET_STATES, wordOf } from '../words.ts';

const PAGE = 50;
const TAKEN = { after: anything };
const EVERY_MS = 5_000;

export function RestoresPage() {
  const query = useQuery();
  const live = useLive(
    query.text,
    (signal) => restores.listRestores({ pageSize: PAGE, pageToken: query.get('after') ?? '' }, { signal }),
    EVERY_MS,
  );
  const { data } = live;
  return (
    <Page
      title="Restores"
      taken={TAKEN}
      live={live}
      loading="restores"
      actions={
        mayOperate.value && (
          <a class="button primary" href="/restores/new">
            Restore a backup …
          </a>
        )
      }
      same={[{ method: 'GET', path: `/restores?pageSize=${PAGE}`, tidemark: ['restore', 'list'] }]}
    >
      {data.value && (
        <>
          <Table
            label="Restores"
            rows={data.value.restores}
            keyOf={({ id }) => id}
            empty="Nothing was restored yet."
            columns={[
              {
                name: 'Restore',
                cell: ({ id, state, progress, reason }) => (
                  <>
                    <a
                      href={pathOf(['restores', id])}
                      aria-label={`Restore ${id}, ${wordOf(RESTORE_STATES, state).text}`}
                    >
                      <Mark word={wordOf(RESTORE_STATES, state)} />
                    </a>
                    {isOpen(state) && <Meter percent={progress?.percent} of={`restore ${id}`} />}
                    {reason && !isOpen(state) && <p class="why">{reason.message}</p>}
                  </>
                ),
              },
              {
                name: 'Target',
                cell: ({ target }) => target && <a href={pathOf(['clusters', target.clusterId])}>{target.clusterId}</a>,
              },
              { name: 'Its state', cell: ({ targetState }) => <Mark word={wordOf(TARGET_STATES, targetState)} /> },
              {
                name: 'From',
                cell: ({ source }) =>
                  source && (
                    <>
                      <a href={pathOf(['backups', source.backupId])}>{source.clusterId}</a>
                      {source.point && (
                        <>
                          , to <At at={source.point.time} />
                        </>
                      )}
                    </>
                  ),
              },
              { name: 'Started', cell: ({ startTime }) => <At at={startTime} /> },
              {
                name: 'How long',
                cell: (restore) => <TaskTime of={restore} />,
                isNumber: true,
              },
              { name: 'By', cell: ({ createdBy }) => createdBy },
            ]}
          />
          <Pager next={data.value.nextPageToken} />
        </>
      )}
    </Page>
  );
}
