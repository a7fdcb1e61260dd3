/** `npm run generate`: code and descriptor set from proto/, after every change there. */
import { generate } from './workspace.mjs';

const { ok, output } = generate();
process.stdout.write(output);
if (!ok) process.exitCode = 1;
