import { useQuery } from './use-query.ts';

/** Ways through a list that the server pages. The token of the page stands in the address; the browser's way back leads to the one before. */
export function Pager({ next }: { readonly next: string }) {
  const query = useQuery();
  const after = query.get('after');
  if (after === null && next === '') return null;
  return (
    <nav class="pager" aria-label="Pages">
      {after !== null && <a href={query.without('after')}>First page</a>}
      {next !== '' && <a href={query.with('after', next)}>Next page</a>}
    </nav>
  );
}
