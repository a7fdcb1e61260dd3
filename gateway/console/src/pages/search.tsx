import { useLocation } from 'preact-iso';
import { registry } from '../api.ts';
import { useLive } from '../live.ts';
import { Page } from '../parts/page.tsx';
import { Table } from '../parts/table.tsx';
import { Ago } from '../parts/time.tsx';
import { useQuery } from '../parts/use-query.ts';
import { KINDS, pageOf, searchPage } from '../search.ts';
import { pathOf } from '../shell.ts';

const EVERY_MS = 30_000;
const LEAST = 2;
const MOST = 64;

/** What has an id that begins so, of all kinds. */
export function SearchPage() {
  const text = useQuery().get('text')?.trim() ?? '';
  return text === '' ? (
    <Page title="Search" same={[]}>
      <SearchForm text="" />
    </Page>
  ) : (
    <Found key={text} text={text} />
  );
}

function SearchForm({ text }: { readonly text: string }) {
  const { route } = useLocation();
  return (
    <form
      class="filters"
      onSubmit={(event) => {
        event.preventDefault();
        const input = event.currentTarget.elements.namedItem('text') as HTMLInputElement;
        route(searchPage(input.value.trim()));
      }}
    >
      <input
        name="text"
        key={text}
        defaultValue={text}
        required
        minLength={LEAST}
        maxLength={MOST}
        aria-label="An id or a name, or the beginning of one"
      />
      <button type="submit">Search</button>
    </form>
  );
}

function Found({ text }: { readonly text: string }) {
  const live = useLive(text, (signal) => registry.search({ text }, { signal }), EVERY_MS);
  const { data } = live;
  return (
    <Page
      title={`What begins with ${text}`}
      live={live}
      loading="what was found"
      same={[{ method: 'GET', path: `/search?${new URLSearchParams({ text })}`, tidemark: ['search', text] }]}
    >
      <SearchForm text={text} />
      {data.value && data.value.incomplete.length > 0 && (
        <p class="note warn">
          These could not be looked for just now: {data.value.incomplete.map((kind) => KINDS.get(kind)).join(', ')}. It
          goes on by itself.
        </p>
      )}
      {data.value?.more && <p class="note">There is more that begins so: a longer text finds it.</p>}
      {data.value && (
        <Table
          label="What was found"
          rows={data.value.hits}
          keyOf={({ kind, id, clusterId }) => `${kind} ${clusterId} ${id}`}
          empty={
            <>
              {data.value.incomplete.length === 0
                ? `Nothing that you may see begins with ${text}. `
                : `Of what could be looked for, nothing that you may see begins with ${text}. `}
              <a href={`/?${new URLSearchParams({ text })}`}>Look for it within the names of clusters</a>
            </>
          }
          columns={[
            { name: 'Id', cell: (hit) => (pageOf(hit) ? <a href={pageOf(hit)}>{hit.id}</a> : hit.id) },
            { name: 'Kind', cell: ({ kind }) => KINDS.get(kind) },
            {
              name: 'Cluster',
              cell: ({ clusterId }) =>
                clusterId ? <a href={pathOf(['clusters', clusterId])}>{clusterId}</a> : <span class="muted">–</span>,
            },
            { name: 'What', cell: ({ title }) => title },
            { name: 'Since', cell: ({ time }) => <Ago at={time} /> },
          ]}
        />
      )}
    </Page>
  );
}
