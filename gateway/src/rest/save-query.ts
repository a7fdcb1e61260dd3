/** What every save may say beside what it saves. */
import { MAX_REVISION } from '@tidemark/limits/limits';
import { z } from 'zod';
import { flag, wholeNumber } from './validate.ts';

// Neither is left out as an empty text: what was meant to change less would change more.
export const SaveQuery = z.object({
  revision: wholeNumber(0, MAX_REVISION)
    .optional()
    .describe(
      'Saves only what is at this revision, as an answer showed it, and is 0 only what is not there yet. Else it is a 409, and `details.revision` says where it is.',
    ),
  validateOnly: flag()
    .optional()
    .describe(
      'Whether this is a dry run: everything is checked and answered as for a save, and nothing is stored; `false` by default.',
    ),
});

/** The same as fields of a request. */
export function saveOptions({ revision, validateOnly }: z.infer<typeof SaveQuery>) {
  return {
    ...(revision !== undefined && { revision: BigInt(revision) }),
    ...(validateOnly !== undefined && { validateOnly }),
  };
}
