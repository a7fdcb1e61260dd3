import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The folder that holds the whole checkout. */
export const REPOSITORY = dirname(dirname(dirname(dirname(fileURLToPath(import.meta.url)))));

/** What several stacks of this checkout share: downloaded and installed servers. */
export const SHARED_CACHE = join(REPOSITORY, 'node_modules', '.cache', 'tidemark');
