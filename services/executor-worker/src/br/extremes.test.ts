/** A `br` that behaves as none should, through a real process and its guard, into the reader. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { readGoroutines } from './goroutine-dump.ts';
import { createOutputReader, type ProgressLine } from './output.ts';
import { type Guards, openGuards } from './process.ts';
import { startWatchdog } from './watchdog.ts';

const MIB = 1024 * 1024;
const HEAD = '[2026/11/24 01:00:00.000 +00:00] [INFO] [collector.go:77]';
const SUMMARY = `${HEAD} ["Full Backup success summary"] [total-ranges=1] [BackupTS=435844546560000001] [Size=71330]`;

describe('a br that', () => {
  let folder: string;
  let guards: Guards;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'tidemark-extremes-'));
    guards = openGuards(folder);
  });
  afterEach(() => {
    guards[Symbol.dispose]();
    rmSync(folder, { recursive: true });
  });

  /** Runs a script of Node.js as br; `bytes` counts what came through. */
  const run = (script: string, onHang?: () => Promise<void>) => {
    const file = join(folder, 'br.cjs');
    writeFileSync(file, script);
    const progress: ProgressLine[] = [];
    const reader = createOutputReader((line) => progress.push(line));
    const seen = { bytes: 0 };
    const br = guards.take().startBr({
      argv: [process.execPath, file],
      env: { PATH: process.env.PATH ?? '' },
      cwd: folder,
      startBy: performance.now() + 60_000,
      guardMs: 60_000,
      killMs: 300,
      graceMs: 300,
      onStdout: (chunk) => {
        seen.bytes += chunk.length;
        reader.stdout(chunk);
      },
      onStderr: (chunk) => {
        seen.bytes += chunk.length;
        reader.stderr(chunk);
      },
      ...(onHang && { onHang }),
    });
    return { br, reader, progress, seen };
  };
  /** Writes to a pipe as fast as it is read. */
  const WRITE = `const { writeSync } = require('node:fs');
    const write = (fd, text) => { const bytes = Buffer.from(text); for (let at = 0; at < bytes.length; ) {
      try { at += writeSync(fd, bytes, at); } catch (error) { if (error.code !== 'EAGAIN') throw error; } } };`;

  it('prints 300 MB is read to its last line, and only the end of it is kept', async () => {
    const { br, reader, seen } = run(`${WRITE}
      const block = ('${HEAD} [noise] [n=' + 'x'.repeat(900) + ']\\n').repeat(1024);
      for (let sent = 0; sent < 300 * ${MIB}; sent += block.length) { write(1, block); write(2, 'W: x\\n'); }
      write(1, '${SUMMARY}\\n');`);
    const before = process.memoryUsage();
    let most = 0;
    const watch = setInterval(() => {
      const { heapUsed, external } = process.memoryUsage();
      most = Math.max(most, heapUsed + external);
    }, 20);
    expect(await br.exited).toMatchObject({ code: 0 });
    clearInterval(watch);
    expect(seen.bytes).toBeGreaterThan(300 * MIB);
    expect(most - before.heapUsed - before.external).toBeLessThan(150 * MIB);
    const { success, lastLines } = reader.result();
    expect(success?.get('BackupTS')).toBe('435844546560000001');
    expect(lastLines).toHaveLength(200);
  });

  it('prints one line of 50 MB is read on behind it, and the line is kept by its two ends', async () => {
    const { br, reader } = run(`${WRITE}
      write(1, '[2026/11/24 01:00:00.000 +00:00] [ERROR] [a.go:1] ["' + 'k'.repeat(50 * ${MIB}) + '[BR:KV:ErrKVUnknown]"]\\n');
      write(1, '${SUMMARY}\\n');`);
    await br.exited;
    const { success, errorLines } = reader.result();
    expect(success?.get('Size')).toBe('71330');
    expect(errorLines).toHaveLength(1);
    expect(errorLines[0]).toMatch(/^\[2026.*BR:KV:ErrKVUnknown/);
    expect(errorLines[0]?.length).toBeLessThan(5_000);
  });

  it('closes its pipes early is over only when it has ended', async () => {
    const { br } = run(`const { closeSync, writeFileSync } = require('node:fs');
      closeSync(1); closeSync(2);
      setTimeout(() => { writeFileSync('${join(folder, 'late')}', ''); process.exit(7); }, 300);`);
    expect(await br.exited).toMatchObject({ code: 7 });
    const { existsSync } = await import('node:fs');
    expect(existsSync(join(folder, 'late'))).toBe(true);
  });

  it('does not go when it is told to is asked for its goroutines first, and then killed', async () => {
    const server = createServer((request, response) => response.end(`goroutine 1 [select] ${request.url}`));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    let dump = '';
    const { br, reader } = run(
      `process.on('SIGTERM', () => {}); process.stderr.write('bound pprof to addr ${address}\\n'); setInterval(() => {}, 1000);`,
      async () => {
        dump = await readGoroutines(reader.now().statusAddress ?? '', undefined);
      },
    );
    await vi.waitFor(() => expect(reader.now().statusAddress).toBe(address), { timeout: 10_000 });
    expect(await br.stop()).toMatchObject({ code: undefined });
    expect(dump).toBe('goroutine 1 [select] /debug/pprof/goroutine?debug=2');
    await new Promise((resolve) => server.close(resolve));
  });
});

describe('the watchdog', () => {
  const HOUR_MS = 3_600_000;
  const line = (fields: Partial<ProgressLine> = {}): ProgressLine => ({
    step: 'Full Backup',
    percent: 1,
    remainingSeconds: undefined,
    speed: '? p/s',
    count: '1 / 100',
    ...fields,
  });
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it('notices a br that prints nothing for an hour, once', () => {
    const onStall = vi.fn();
    using _ = startWatchdog(HOUR_MS, onStall);
    vi.advanceTimersByTime(HOUR_MS - 1);
    expect(onStall).not.toHaveBeenCalled();
    vi.advanceTimersByTime(3 * HOUR_MS);
    expect(onStall).toHaveBeenCalledOnce();
  });

  it('notices a br that says the same again and again, and lets one be that gets on by a single region', () => {
    const onStall = vi.fn();
    using watchdog = startWatchdog(HOUR_MS, onStall);
    for (let region = 1; region <= 30; region += 1) {
      vi.advanceTimersByTime(HOUR_MS / 2);
      watchdog.saw(line({ count: `${region} / 100` }));
    }
    expect(onStall).not.toHaveBeenCalled();
    for (let minutes = 0; minutes < 60; minutes += 2) {
      vi.advanceTimersByTime(HOUR_MS / 30);
      watchdog.saw(line({ count: '30 / 100', speed: '0 p/s' }));
    }
    expect(onStall).toHaveBeenCalledOnce();
  });

  it('bothers nobody once the run is over', () => {
    const onStall = vi.fn();
    startWatchdog(HOUR_MS, onStall)[Symbol.dispose]();
    vi.advanceTimersByTime(2 * HOUR_MS);
    expect(onStall).not.toHaveBeenCalled();
  });
});
