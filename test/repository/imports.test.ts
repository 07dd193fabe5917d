import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { checkImports, rooms } from '../../scripts/import-rules.ts';
import { root } from '../../scripts/run.ts';

describe('in this repository', () => {
  test('every file is seen, and imports only what its room may import', { timeout: 120_000 }, async () => {
    const { files, modules, violations } = await checkImports(root);
    expect(files).toBeGreaterThan(20);
    expect(modules).toBe(files);
    expect(violations).toEqual([]);
  });
});

describe('planted in an empty repository', () => {
  let planted: string;
  beforeEach(() => {
    planted = mkdtempSync(join(tmpdir(), 'hotledger-imports-'));
    write({ 'package.json': '{"name":"planted","type":"module","dependencies":{}}' });
  });
  afterEach(() => rmSync(planted, { recursive: true }));

  function write(files: Readonly<Record<string, string>>): void {
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(planted, path)), { recursive: true });
      writeFileSync(join(planted, path), text);
    }
  }

  async function violationsOf(files: Readonly<Record<string, string>>): Promise<readonly string[]> {
    write(files);
    return (await checkImports(planted)).violations.map((violation) => violation.split(':')[0] as string);
  }

  const value = 'export const x: number = 1;\nexport interface X { readonly x: number }\n';
  const importing = (path: string): string => `import { x } from '${path}';\nexport const y: number = x;\n`;
  const importingType = (path: string): string => `import type { X } from '${path}';\nexport type Y = X;\n`;

  test('each import of a value or a type that the table does not allow is found, and no other', async () => {
    const files: Record<string, string> = {};
    const expected: string[] = [];
    for (const [from, allowed] of Object.entries(rooms)) {
      files[`src/${from}/x.ts`] = value;
      for (const to of Object.keys(rooms).filter((room) => room !== from)) {
        files[`src/${from}/type-of-${to}.ts`] = importingType(`../${to}/x.ts`);
        if (allowed.includes(to)) continue;
        files[`src/${from}/value-of-${to}.ts`] = importing(`../${to}/x.ts`);
        for (const what of ['type', 'value']) {
          expected.push(`imports-of-${from}: src/${from}/${what}-of-${to}.ts -> src/${to}/x.ts`);
        }
      }
    }
    write(files);
    expect(expected.length).toBeGreaterThan(100);
    const { violations } = await checkImports(planted);
    expect(violations.filter((violation) => violation.startsWith('imports-of-'))).toEqual(expected.sort());
    expect(violations.filter((violation) => !violation.startsWith('imports-of-'))).toEqual([]);
  });

  test('the ledger takes types of the store, and the block log values too', async () => {
    write({ 'src/store/x.ts': value });
    expect(await violationsOf({ 'src/ledger/y.ts': importing('../store/x.ts') })).toEqual([
      'ledger-takes-types-of-store',
    ]);
    expect(await violationsOf({ 'src/ledger/y.ts': importingType('../store/x.ts') })).toEqual([]);
    expect(await violationsOf({ 'src/ledger/block-log.ts': importing('../store/x.ts') })).toEqual([]);
  });

  test('a cycle is refused, of types too', async () => {
    write({ 'src/base/a.ts': "import type { B } from './b.ts';\nexport type A = B | 1;\n" });
    expect(
      await violationsOf({ 'src/base/b.ts': "import type { A } from './a.ts';\nexport type B = A | 2;\n" }),
    ).toEqual(expect.arrayContaining(['no-cycle']));
  });

  test('a room that the table does not know is refused', async () => {
    expect(await violationsOf({ 'src/utils/x.ts': importing('./y.ts'), 'src/utils/y.ts': value })).toContain(
      'room-is-known',
    );
  });

  test.each([
    ['libp2p', 'src/node/y.ts', 'home-of-libp2p-libp2p'],
    ['@libp2p/tcp', 'src/hotstuff/y.ts', 'home-of-libp2p-libp2p'],
    ['classic-level', 'src/ledger/y.ts', 'home-of-classic-level'],
    ['@chainsafe/blst', 'src/qc/y.ts', 'home-of-chainsafe-blst'],
    ['sodium-native', 'src/node/y.ts', 'home-of-sodium-native'],
    ['msgpackr', 'src/net/y.ts', 'home-of-msgpackr'],
  ])('%s has one home, which is not %s', async (name, path, rule) => {
    expect(await violationsOf({ [path]: importing(name) })).toContain(rule);
  });

  test('a reader that reaches a native library through another file is refused', async () => {
    const files = {
      'src/qc/scheme-native.ts': value,
      'src/qc/between.ts': importing('./scheme-native.ts'),
      'src/ledger/verified-read.ts': "import { y } from '../qc/between.ts';\nexport const z: number = y;\n",
    };
    expect(await violationsOf(files)).toEqual(['reader-runs-anywhere']);
  });

  test('a missing file is refused', async () => {
    expect(await violationsOf({ 'src/base/y.ts': importing('./nowhere.ts') })).toEqual(['no-missing-file']);
  });

  test('a file that the check cannot see fails the check, instead of passing unseen', async () => {
    // A folder by the name of a source file: listed as a file of the repository, and never a module.
    mkdirSync(join(planted, 'src/base/unseen.ts'), { recursive: true });
    await expect(checkImports(planted)).rejects.toThrow('did not see 1 files: src/base/unseen.ts');
  });
});
