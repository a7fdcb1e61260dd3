/** `npm run generate`: code and descriptor set from proto/, docs/openapi.json from the gateway's routes, docs/settings.md from the readers. */
import { generate } from './workspace.mjs';

const { ok, output } = generate();
process.stdout.write(output);
if (!ok) process.exitCode = 1;
