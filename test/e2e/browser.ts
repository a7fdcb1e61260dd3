/** A real Chromium for tests of the console, which notes what nobody must see: errors on its console, and requests to elsewhere. */
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { findChromium } from '@tidemark/local-stack/chromium';
import { type Browser, type BrowserContext, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { expect } from 'vitest';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const WAIT_MS = 20_000;

export interface TestBrowser extends AsyncDisposable {
  /** A tab of its own, that shares nothing with others; logged in where a token is given. */
  open(address: string, options?: { readonly token?: string } & BrowserContextOptions): Promise<Tab>;
}

export interface Tab extends AsyncDisposable {
  readonly page: Page;
  readonly context: BrowserContext;
  /** Errors on its console, and requests to other addresses, so far. */
  readonly wrong: readonly string[];
  /** The violations that axe-core finds on the page as it is. */
  violations(): Promise<string[]>;
}

/** Why there is no browser, as a sentence; else the browser. */
export async function startBrowser(): Promise<TestBrowser | string> {
  let found: Awaited<ReturnType<typeof findChromium>>;
  try {
    found = await findChromium({ say: (line) => console.log(line), signal: AbortSignal.timeout(400_000) });
  } catch (error) {
    return (error as Error).message;
  }
  const browser: Browser = await chromium.launch({
    executablePath: found.program,
    env: { ...(process.env as Record<string, string>), ...found.env },
    args: [
      '--no-sandbox',
      '--disable-quic',
      '--disable-gpu',
      '--disable-background-networking',
      '--font-render-hinting=none',
    ],
  });
  return {
    async open(address, { token, ...options } = {}) {
      const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
      context.setDefaultTimeout(WAIT_MS);
      const page = await context.newPage();
      const wrong = noteWrongs(page, new URL(address).origin);
      const url = new URL(address);
      if (token !== undefined) url.hash = `token=${token}`;
      await page.goto(url.href);
      return {
        page,
        context,
        wrong,
        violations: () => violationsOn(page),
        [Symbol.asyncDispose]: () => context.close(),
      };
    },
    [Symbol.asyncDispose]: () => browser.close(),
  };
}

function noteWrongs(page: Page, origin: string): string[] {
  const wrong: string[] = [];
  page.on('pageerror', (error) => wrong.push(`error: ${error.message}`));
  page.on('console', (message) => {
    const isBad = message.type() === 'error' || message.type() === 'warning';
    // What a busy machine could not answer the browser itself tells; the console asks again.
    if (isBad && !message.text().includes('status of 503')) wrong.push(`${message.type()}: ${message.text()}`);
  });
  page.on('request', (request) => {
    const url = new URL(request.url());
    if (url.protocol !== 'data:' && url.origin !== origin) wrong.push(`request to ${url.origin}`);
  });
  return wrong;
}

interface Found {
  readonly violations: readonly { readonly id: string; readonly nodes: readonly { readonly html: string }[] }[];
}

async function violationsOn(page: Page): Promise<string[]> {
  // Not as a script of the page, whose policy lets none in.
  const { violations } = (await page.evaluate(`(async () => { ${AXE}; return await axe.run(document); })()`)) as Found;
  return violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html.slice(0, 200)}`));
}

/** That nothing went wrong on a page which nobody asked for. */
export function expectCalm({ wrong }: Tab): void {
  expect(wrong).toEqual([]);
}

/** Writes a screenshot beside the docs where that was asked for. */
export async function shoot(page: Page, name: string): Promise<void> {
  const folder = process.env.TIDEMARK_SCREENSHOTS;
  if (folder === undefined) return;
  mkdirSync(folder, { recursive: true });
  const file = join(folder, `${name}.png`);
  rmSync(file, { force: true });
  await page.screenshot({ path: file });
}
