import { useLocation } from 'preact-iso';
import { audit } from '../api.ts';
import {
  filterOf,
  localInput,
  MOMENTS,
  OUTCOMES,
  requestOf,
  type Subject,
  sameList,
  subjectsOf,
  TAKEN,
  TEXTS,
} from '../audit-words.ts';
import { useLive } from '../live.ts';
import { Mark } from '../parts/mark.tsx';
import { AdminPage, Page } from '../parts/page.tsx';
import { Pager } from '../parts/pager.tsx';
import { Table } from '../parts/table.tsx';
import { At } from '../parts/time.tsx';
import { useQuery } from '../parts/use-query.ts';
import { wordOf } from '../words.ts';

const PAGE = 50;
const EVERY_MS = 10_000;
const MOST = 64;
const LABELS = { caller: 'Name or id of a token', what: 'What was asked for', clusterId: 'Id of a cluster' } as const;

/** Who changed what, newest first, a page at a time; the filters stand in the address. */
export function AuditPage() {
  return (
    <AdminPage title="Audit" same={[sameList(filterOf(useQuery()), PAGE)]}>
      <Entries />
    </AdminPage>
  );
}

function Entries() {
  const query = useQuery();
  const filter = filterOf(query);
  const live = useLive(
    query.text,
    (signal) =>
      audit.listAuditEntries({ ...requestOf(filter), pageSize: PAGE, pageToken: query.get('after') ?? '' }, { signal }),
    EVERY_MS,
  );
  const { data } = live;
  return (
    <Page title="Audit" live={live} loading="the audit" same={[sameList(filter, PAGE)]} taken={TAKEN}>
      <Filters />
      {data.value && (
        <>
          <Table
            label="Audit"
            rows={data.value.entries}
            keyOf={({ id }) => id}
            empty="Nobody has changed anything that fits these filters."
            columns={[
              { name: 'When', cell: ({ time }) => <At at={time} /> },
              {
                name: 'Who',
                cell: ({ caller, callerId, from }) => (
                  <>
                    {caller ? (
                      <a href={query.with('caller', callerId || caller)}>{caller}</a>
                    ) : (
                      <span class="muted">no token that is known</span>
                    )}
                    {from && <span class="muted"> from {from}</span>}
                  </>
                ),
              },
              { name: 'What', cell: ({ what }) => <a href={query.with('what', what)}>{what}</a> },
              { name: 'On', cell: (entry) => <Subjects of={subjectsOf(entry)} /> },
              {
                name: 'Result',
                cell: ({ outcome: of, status, code }) => (
                  <>
                    <Mark word={wordOf(OUTCOMES, of)} />{' '}
                    <span class="muted">
                      {status} {code && <code>{code}</code>}
                    </span>
                  </>
                ),
              },
            ]}
          />
          <Pager next={data.value.nextPageToken} />
        </>
      )}
    </Page>
  );
}

function Subjects({ of }: { readonly of: readonly Subject[] }) {
  if (of.length === 0) return <span class="muted">–</span>;
  return (
    <ul>
      {of.map(({ kind, id, page }) => (
        <li key={kind}>
          <span class="muted">{kind}</span> {page ? <a href={page}>{id}</a> : id}
        </li>
      ))}
    </ul>
  );
}

function Filters() {
  const query = useQuery();
  const { path, route } = useLocation();
  const filter = filterOf(query);
  const outcome = query.get('outcome');
  const submit = (event: Event) => {
    event.preventDefault();
    const given = new FormData(event.currentTarget as HTMLFormElement);
    const text = (name: string) => String(given.get(name) ?? '').trim();
    const wanted = new URLSearchParams(outcome ? { outcome } : {});
    for (const name of TEXTS) if (text(name) !== '') wanted.set(name, text(name));
    for (const name of MOMENTS) if (text(name) !== '') wanted.set(name, new Date(text(name)).toISOString());
    route(wanted.size > 0 ? `${path}?${wanted}` : path);
  };
  return (
    <div class="filters">
      <form key={query.text} onSubmit={submit}>
        {TEXTS.map((name) => (
          <input
            key={name}
            name={name}
            maxLength={MOST}
            defaultValue={filter[name]}
            aria-label={LABELS[name]}
            placeholder={LABELS[name]}
          />
        ))}
        {MOMENTS.map((name) => (
          <label key={name} class="inline">
            {name}
            <input type="datetime-local" name={name} defaultValue={localInput(filter[name])} />
          </label>
        ))}
        <button type="submit">Filter</button>
      </form>
      {[...OUTCOMES.values()].map(({ name, text }) => (
        <a
          key={name}
          class="chip"
          href={query.with('outcome', outcome === name ? '' : name)}
          aria-current={outcome === name ? 'true' : undefined}
        >
          {text}
        </a>
      ))}
    </div>
  );
}
