import { join } from 'node:path';

/** What a real `br` left in the path of a backup, but for the data files, whose names and sizes are in `files.tsv`. */
export const FINISHED_PATH = join(import.meta.dirname, 'testdata', 'finished-path');
