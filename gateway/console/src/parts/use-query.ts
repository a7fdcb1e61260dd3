import { useLocation } from 'preact-iso';
import { type Query, queryOf } from '../query.ts';

/** The query of the address that is shown. */
export function useQuery(): Query {
  const { path, url } = useLocation();
  return queryOf(path, new URL(url, location.origin).search);
}
