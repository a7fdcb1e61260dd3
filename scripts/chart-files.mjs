/** What the Helm chart has of other files: Helm reads nothing outside of the chart's folder. */
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const CHART = join('deploy', 'helm', 'tidemark');
const SCHEMA = join(CHART, 'values.schema.json');
const READERS = join(CHART, 'files', 'settings.json');
const RULES = join(CHART, 'files', 'tidemark.rules.yml');
const DASHBOARDS = join(CHART, 'files', 'dashboards');

/** Below the repository. */
export const CHART_FILES = [
  SCHEMA,
  READERS,
  RULES,
  ...['fleet', 'execution', 'api', 'dependencies'].map((name) => join(DASHBOARDS, `${name}.json`)),
];

/** Settings that the chart sets by itself from other values, or that mean nothing in a container. */
const SET_BY_CHART = [
  /^TIDEMARK_(HOST|PORT|GRPC_PORT|OPERATIONS_HOST|OPERATIONS_PORT|PARENT_PID|ALLOW_OPEN|WORKER_NAME)$/,
  /^TIDEMARK_(STRATEGY|BACKUP|SCHEDULER)_SERVICE$/,
  /^TIDEMARK_(SERVICE_TOKEN|TOKENS_FILE|AMQP_URL|MONGODB_URL|MANIFEST_KEY_FILE|SECRETS_DIR|STATE_DIR)$/,
  /^TIDEMARK_(TLS|GATEWAY_TLS)_/,
  /^TIDEMARK_(POOL|SLOTS|DRAIN_SECONDS|MAX_TASKS|IDLE_SECONDS|BR)$/,
];

/**
 * Writes the alert rules, the dashboards, which processes read which setting, and what the settings may be into the schema of the values.
 *
 * @param settings as `readSettings` has them
 * @param run runs a program to its end, as `run` of workspace.mjs does
 */
export function writeChartFiles(target, root, settings, run) {
  mkdirSync(join(target, CHART, 'files'), { recursive: true });
  copyFileSync(join(root, 'docs', 'alerts', 'tidemark.rules.yml'), join(target, RULES));
  const own = [...settings.values()]
    .filter(({ name }) => !SET_BY_CHART.some((pattern) => pattern.test(name)))
    .sort((one, other) => (one.name < other.name ? -1 : 1));
  writeJson(join(target, READERS), Object.fromEntries(own.map(({ name, defaults }) => [name, [...defaults.keys()]])));
  const schema = JSON.parse(readFileSync(join(root, SCHEMA), 'utf8'));
  schema.properties.settings.properties = Object.fromEntries(
    own.map(({ name, about, kind }) => [name, { description: about, ...schemaOf(kind) }]),
  );
  writeJson(join(target, SCHEMA), schema);
  const writer = join(root, 'tools', 'dashboards', 'src', 'write-dashboards.ts');
  return run(process.execPath, [writer, join(target, DASHBOARDS)]);
}

/** What a value may be, by the words of the settings page, such as `a whole number from 1 to 100`. */
function schemaOf(kind) {
  const range = /^a (whole number|number of seconds) from ([\d.]+) to ([\d.]+)$/.exec(kind);
  if (range) {
    const [, number, minimum, maximum] = range;
    const type = number === 'whole number' ? 'integer' : 'number';
    return { type, minimum: Number(minimum), maximum: Number(maximum) };
  }
  if (kind === '`true` or `false`') return { type: 'boolean' };
  if (/^`\w+`, .* or `\w+`$/.test(kind)) return { enum: [...kind.matchAll(/`(\w+)`/g)].map(([, word]) => word) };
  return { type: 'string' };
}

function writeJson(file, value) {
  writeFileSync(file, `${JSON.stringify(value, undefined, 2)}\n`);
}
