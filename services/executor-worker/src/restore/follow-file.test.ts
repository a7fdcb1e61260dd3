import { appendFileSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { followFile, readLeftFile } from './follow-file.ts';

let folder: string;
let path: string;
let text: string;
let cuts: number;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tidemark-follow-'));
  path = join(folder, 'stdout');
  writeFileSync(path, '');
  text = '';
  cuts = 0;
});
afterEach(() => rmSync(folder, { recursive: true }));

const options = (maxBytes: number) => ({
  path,
  maxBytes,
  everyMs: 10,
  onChunk: (chunk: Buffer) => {
    text += chunk.toString('latin1');
  },
  onCut: () => {
    cuts += 1;
  },
});

describe('a file that another process appends to', () => {
  it('is passed on while it grows, and to its last byte at the end', async () => {
    const file = followFile(options(1_000_000));
    appendFileSync(path, 'one\n');
    await vi.waitFor(() => expect(text).toBe('one\n'));
    appendFileSync(path, 'two\n'.repeat(50_000));
    await file.finish();
    expect(text).toBe(`one\n${'two\n'.repeat(50_000)}`);
    expect(cuts).toBe(0);
  });

  it('is cut once it was read beyond its bound, and goes on from its new beginning', async () => {
    const file = followFile(options(10));
    appendFileSync(path, 'more than ten bytes\n');
    await vi.waitFor(() => expect(statSync(path).size).toBe(0));
    expect(cuts).toBe(1);
    appendFileSync(path, 'on\n');
    await file.finish();
    expect(text).toBe('more than ten bytes\non\n');
  });

  it('is not cut as long as that cannot be noted', async () => {
    let noted = false;
    const file = followFile({
      ...options(10),
      onCut() {
        cuts += 1;
        if (!noted) throw new Error('the disk is full');
      },
    });
    appendFileSync(path, 'more than ten bytes\n');
    await vi.waitFor(() => expect(cuts).toBeGreaterThan(2));
    expect(statSync(path).size).toBe(20);
    noted = true;
    await vi.waitFor(() => expect(statSync(path).size).toBe(0));
    await file.finish();
    expect(text).toBe('more than ten bytes\n');
  });

  it('holds nobody up where it cannot be read, which is said', async () => {
    rmSync(path);
    const file = followFile(options(10));
    await vi.waitFor(() => expect(cuts).toBeGreaterThan(0));
    writeFileSync(path, 'late\n');
    await file.finish();
    expect(text).toBe('late\n');
  });
});

describe('a file that was left', () => {
  it('is read whole', async () => {
    writeFileSync(path, 'x'.repeat(200_000));
    await readLeftFile(options(1_000_000));
    expect([text.length, cuts]).toEqual([200_000, 0]);
  });

  it('is read by its end where it is longer than its bound, which is said', async () => {
    writeFileSync(path, '0123456789');
    await readLeftFile(options(4));
    expect([text, cuts]).toEqual(['6789', 1]);
  });

  it('says so where it is not there', async () => {
    rmSync(path);
    await readLeftFile(options(4));
    expect(cuts).toBe(1);
  });
});
