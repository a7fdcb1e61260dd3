import { type Judged, whyOf } from '../fleet-words.ts';
import { useMoment } from './time.tsx';

/** Why a cluster has its verdict, in words. */
export function Why({ of, as = (text) => text }: { readonly of: Judged; readonly as?: (text: string) => string }) {
  return <>{as(whyOf(of, useMoment()))}</>;
}
