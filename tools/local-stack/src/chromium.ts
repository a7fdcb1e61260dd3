/** A browser for tests: one that is installed, else one that comes as a package of the npm registry. */
import { createReadStream, createWriteStream, existsSync } from 'node:fs';
import { chmod, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createBrotliDecompress } from 'node:zlib';
import { waitForLock } from '@tidemark/processes/file-lock';
import { findOnPath, isExecutable, runStep } from './find-program.ts';
import type { LocalServerOptions } from './local-server.ts';
import { SHARED_CACHE } from './repository.ts';

export interface Browser {
  readonly program: string;
  /** What it needs beside the environment of who starts it. */
  readonly env: Readonly<Record<string, string>>;
}

const NAMES = ['chromium', 'chromium-browser', 'google-chrome-stable', 'google-chrome'];
const VERSION = '153.0.0';
const PACKAGE = `@sparticuz/chromium@${VERSION}`;
const FOLDER = join(SHARED_CACHE, `chromium-${VERSION}`);
/** The fonts of the package before those of the system, so that pages look alike everywhere. */
const FONTS = `<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
  <dir>${join(FOLDER, 'fonts', 'fonts')}</dir>
  <dir>/usr/share/fonts</dir>
  <cachedir>${join(FOLDER, 'fonts-cache')}</cachedir>
  <alias binding="same"><family>system-ui</family><prefer><family>Open Sans</family></prefer></alias>
  <alias binding="same"><family>sans-serif</family><prefer><family>Open Sans</family></prefer></alias>
  <alias><family>monospace</family><prefer><family>DejaVu Sans Mono</family></prefer></alias>
</fontconfig>
`;
const INSTALL_LIMIT_MS = 300_000;
const UNPACK_LIMIT_MS = 60_000;

/**
 * Finds a Chromium: of the variable TIDEMARK_CHROMIUM, on PATH, or in the cache of this checkout, into which it is installed once.
 *
 * @throws a sentence that says what would help
 */
export async function findChromium(options: Pick<LocalServerOptions, 'say' | 'signal'>): Promise<Browser> {
  const named = process.env.TIDEMARK_CHROMIUM;
  if (named !== undefined && !isExecutable(named)) throw new Error(`TIDEMARK_CHROMIUM=${named} cannot be executed.`);
  const installed = named ?? NAMES.map((name) => findOnPath(name)).find((program) => program !== undefined);
  if (installed !== undefined) return { program: installed, env: {} };
  if (process.platform !== 'linux' || process.arch !== 'x64')
    throw new Error('A Chromium is needed: install one, and name it in TIDEMARK_CHROMIUM.');
  await install(options);
  return {
    program: join(FOLDER, 'chromium'),
    env: { LD_LIBRARY_PATH: join(FOLDER, 'al2023', 'lib'), FONTCONFIG_PATH: join(FOLDER, 'fonts') },
  };
}

async function install({ say, signal }: Pick<LocalServerOptions, 'say' | 'signal'>): Promise<void> {
  const complete = join(FOLDER, 'complete');
  if (existsSync(complete)) return;
  await mkdir(SHARED_CACHE, { recursive: true });
  using _ = await waitForLock(`${FOLDER}.lock`, signal, () => say('Waiting for another start that installs Chromium'));
  if (existsSync(complete)) return;
  const npm = findOnPath('npm');
  if (npm === undefined) throw new Error('Chromium needs npm on PATH; or install it with apt-get install chromium.');
  say(`Installing Chromium ${VERSION} (70 MB, once per checkout)`);
  await rm(FOLDER, { recursive: true, force: true });
  await mkdir(FOLDER, { recursive: true });
  const command = ['install', '--prefix', FOLDER, '--ignore-scripts', '--no-audit', '--no-fund', '--omit=dev'];
  const failure = 'npm could not install Chromium, which apt-get install chromium does too';
  await runStep(npm, [...command, PACKAGE], failure, { signal, limitMs: INSTALL_LIMIT_MS });
  const packed = join(FOLDER, 'node_modules', '@sparticuz', 'chromium', 'bin');
  await unpack(join(packed, 'chromium.br'), join(FOLDER, 'chromium'));
  await chmod(join(FOLDER, 'chromium'), 0o755);
  for (const name of ['al2023', 'fonts', 'swiftshader']) {
    const tar = join(FOLDER, `${name}.tar`);
    await unpack(join(packed, `${name}.tar.br`), tar);
    // What draws is looked for beside the program.
    const folder = name === 'swiftshader' ? FOLDER : join(FOLDER, name);
    await mkdir(folder, { recursive: true });
    await runStep('tar', ['-xf', tar, '-C', folder], `${name} of Chromium could not be unpacked`, {
      signal,
      limitMs: UNPACK_LIMIT_MS,
    });
    await rm(tar);
  }
  // Its own names folders of another machine.
  await writeFile(join(FOLDER, 'fonts', 'fonts.conf'), FONTS);
  await rm(join(FOLDER, 'node_modules'), { recursive: true });
  await writeFile(complete, '');
}

async function unpack(from: string, to: string): Promise<void> {
  await pipeline(createReadStream(from), createBrotliDecompress(), createWriteStream(to));
}
