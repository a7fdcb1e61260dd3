/** Writes all dashboards into the folder that is named. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { dashboards } from './dashboards.ts';

const [folder = ''] = process.argv.slice(2);
mkdirSync(folder, { recursive: true });
for (const [file, dashboard] of Object.entries(dashboards()))
  writeFileSync(join(folder, file), `${JSON.stringify(dashboard, undefined, 2)}\n`);
