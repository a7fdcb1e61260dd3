/**
 * `npm run release -- 0.2.0`: makes a release of this checkout, up to the upload.
 *
 * 1. Everything is looked at before anything is written: the version, the checkout, the changes that are told.
 * 2. What is to be uploaded is built from what is committed. Where that fails, the checkout is as it was before.
 * 3. The tag comes last: one that is there names a release that was made.
 */
import { createHash } from 'node:crypto';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { GENERATED, generate, ROOT, run } from './workspace.mjs';

const HELP = `npm run release -- VERSION [--dry-run]

Makes the release VERSION (such as 0.2.0) of this checkout: sets the version of every package, dates the changes of
CHANGELOG.md, renews proto/released.binpb, commits, and tags it v<VERSION>. What is to be uploaded lies in dist/<VERSION> then:
the client package, the Helm chart, the command line, and their checksums. Nothing is uploaded.

  --dry-run   only builds what would be uploaded, and leaves the checkout as it is
`;
const SEMVER = /^(\d+)\.(\d+)\.(\d+)(?:-([0-9A-Za-z.-]+))?$/;
const UNRELEASED = '## Unreleased\n';
const CHART = join('deploy', 'helm', 'tidemark');
/** What the gateway serves; what they import comes with them. */
const SERVED = [
  ...['backup/v1/backup_service', 'backup/v1/restore_service', 'backup/v1/registry_service', 'backup/v1/audit_service'],
  ...['backup/v1/log_backup_service'],
  ...['strategy/v1/strategy_service'],
  ...['scheduler/v1/fleet_service', 'scheduler/v1/occurrence_service', 'scheduler/v1/retention_service'],
  ...['scheduler/v1/notification_service'],
].map((name) => `tidemark/${name}_pb.ts`);

/** What was asked for cannot be done; nothing was written. */
class Refused extends Error {}

try {
  main(process.argv.slice(2));
} catch (error) {
  process.stderr.write(`${error instanceof Refused ? '' : 'The release failed. '}${error.message}\n`);
  process.exitCode = error instanceof Refused ? 2 : 1;
}

function main(args) {
  if (args.some((one) => one === '--help' || one === '-h')) return process.stdout.write(HELP);
  const isDry = args.includes('--dry-run');
  const [version, ...more] = args.filter((one) => one !== '--dry-run');
  if (version === undefined || more.length > 0) throw new Refused(HELP.trimEnd());
  const date = new Date().toISOString().slice(0, 10);
  const changelog = requireReleasable(version, isDry);

  const target = join(ROOT, 'dist', version);
  rmSync(target, { recursive: true, force: true });
  mkdirSync(target, { recursive: true });
  try {
    writeVersion(version);
    writeFileSync(
      join(ROOT, 'CHANGELOG.md'),
      changelog.replace(UNRELEASED, `${UNRELEASED}\n## ${version} (${date})\n`),
    );
    must(generate(), 'what is generated');
    must(run('buf', ['build', '-o', 'released.binpb'], join(ROOT, 'proto')), 'proto/released.binpb');
    packClient(version, target);
    packChart(version, target);
    must(run(process.execPath, [join(ROOT, 'scripts', 'bundle-cli.mjs'), target]), 'the command line');
    writeChecksums(target);
    if (!isDry) commit(version);
  } finally {
    // After a commit there is nothing to take back.
    git('checkout', '--', '.');
  }
  say(version, target, isDry);
}

/** @returns CHANGELOG.md */
function requireReleasable(version, isDry) {
  const now = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')).version;
  if (!SEMVER.test(version)) throw new Refused(`"${version}" is no version: it must be like 0.2.0 or 1.0.0-rc.1.`);
  if (!isLater(version, now) && !isDry) throw new Refused(`${version} is not later than ${now}, the version of now.`);
  if (git('status', '--porcelain') !== '')
    throw new Refused('There are changes that are not committed: commit or stash them, and try again.');
  if (git('tag', '--list', `v${version}`) !== '') throw new Refused(`There is a tag v${version} already.`);
  const changelog = readFileSync(join(ROOT, 'CHANGELOG.md'), 'utf8');
  const [, unreleased = ''] = changelog.split(UNRELEASED);
  if (!/^\s*- /.test(unreleased))
    throw new Refused('CHANGELOG.md has no changes under "## Unreleased": say what is new in this release.');
  return changelog;
}

/** As semver orders them, but for two versions before the same release, which are taken as they come. */
function isLater(version, other) {
  const [, ...parts] = SEMVER.exec(version);
  const [, ...others] = SEMVER.exec(other);
  for (const index of [0, 1, 2])
    if (Number(parts[index]) !== Number(others[index])) return Number(parts[index]) > Number(others[index]);
  return version !== other && others[3] !== undefined;
}

/** The version of the root is that of everything. */
function writeVersion(version) {
  for (const file of git('ls-files', 'package.json', '*/package.json').split('\n')) {
    const text = readFileSync(join(ROOT, file), 'utf8');
    writeFileSync(join(ROOT, file), text.replace(/^( {2}"version": )"[^"]*"/m, `$1"${version}"`));
  }
  const chart = join(ROOT, CHART, 'Chart.yaml');
  const text = readFileSync(chart, 'utf8');
  writeFileSync(
    chart,
    text.replace(/^version: .*$/m, `version: ${version}`).replace(/^appVersion: .*$/m, `appVersion: "${version}"`),
  );
}

/** Compiles what is generated for Connect, and packs it. */
function packClient(version, target) {
  const folder = mkdtempSync(join(tmpdir(), 'tidemark-client-'));
  try {
    const source = join(ROOT, GENERATED, 'connect');
    // Beside the packages that the code imports.
    const config = join(ROOT, 'packages', 'protocol', `tsconfig.client-${process.pid}.json`);
    const compilerOptions = {
      ...{ target: 'es2022', module: 'nodenext', strict: true, skipLibCheck: true, types: [], declaration: true },
      ...{ rewriteRelativeImportExtensions: true, rootDir: source, outDir: folder },
    };
    writeFileSync(config, JSON.stringify({ compilerOptions, files: SERVED.map((file) => join(source, file)) }));
    try {
      must(run('tsc', ['-p', config]), 'the client package');
    } finally {
      rmSync(config);
    }
    cpSync(join(ROOT, 'scripts', 'client'), folder, { recursive: true });
    cpSync(join(ROOT, 'LICENSE'), join(folder, 'LICENSE'));
    const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
    writeFileSync(join(folder, 'package.json'), `${JSON.stringify({ ...manifest, version }, undefined, 2)}\n`);
    must(run('pnpm', ['pack', '--pack-destination', target], folder), 'the client package');
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** As `helm package` does: an archive with the folder of the chart. */
function packChart(version, target) {
  const archive = join(target, `tidemark-chart-${version}.tgz`);
  must(run('tar', ['-czf', archive, '-C', join(ROOT, CHART, '..'), 'tidemark']), 'the Helm chart');
}

/** As `sha256sum --check SHA256SUMS` reads them. */
function writeChecksums(target) {
  const lines = readdirSync(target)
    .sort()
    .map(
      (file) =>
        `${createHash('sha256')
          .update(readFileSync(join(target, file)))
          .digest('hex')}  ${file}\n`,
    );
  writeFileSync(join(target, 'SHA256SUMS'), lines.join(''));
}

function commit(version) {
  git('commit', '--quiet', '--all', '--message', `Release ${version}`);
  git('tag', '--annotate', `v${version}`, '--message', `Tidemark ${version}`);
}

function say(version, target, isDry) {
  const files = readdirSync(target).map((file) => `  ${join(relative(ROOT, target), file)}\n`);
  const upload = isDry
    ? 'The checkout is as it was.\n'
    : `Committed, and tagged v${version}. To upload it:
  git push origin HEAD v${version}
  npm publish ${join(relative(ROOT, target), `tidemark-client-${version}.tgz`)}
  helm push ${join(relative(ROOT, target), `tidemark-chart-${version}.tgz`)} oci://REGISTRY/charts
  deploy/build-image REGISTRY/tidemark ${version}   # each process, and pushes nothing by itself
`;
  process.stdout.write(`Built:\n${files.join('')}${upload}`);
}

function must({ ok, output }, what) {
  if (!ok) throw new Error(`${what} could not be made: ${output}`);
}

function git(...args) {
  const { ok, output } = run('git', args);
  must({ ok, output }, `git ${args[0]}`);
  return output.trim();
}
