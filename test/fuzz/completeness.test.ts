import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { root } from '../../scripts/run.ts';
import { decoders, otherExports, otherFiles } from './table.ts';

const sources = globSync('**/*.ts', { cwd: join(root, 'src') }).map((path) => ({
  path,
  text: readFileSync(join(root, 'src', path), 'utf8'),
}));
const covered = decoders.flatMap(({ covers }) => covers);
const files = new Set(covered.map((name) => name.split('#')[0] as string));

/** By their names; whoever names one otherwise is found by what the file calls. */
const DECODER_NAMES =
  /^(decode|parse|peek|unpack|import[A-Z])|Codec$|Decoder$|From(Json|JsonText|Protobuf|Hex|Base64)$/;
const DECODING = /JSON\.parse\(|afeParse\(|\.parse\(|[^\w]codec(<\w+>)?\(|unpack\(/;

function exportsOf(text: string): readonly string[] {
  return [...text.matchAll(/^export (?:async )?(?:function|const|class) (\w+)/gm)].map(([, name]) => name as string);
}

const exported = sources.flatMap(({ path, text }) => exportsOf(text).map((name) => `${path}#${name}`));
const suspects = exported.filter((name) => DECODER_NAMES.test(name.split('#')[1] as string));

test('every export that decodes is in the table of decoders, or is named with the reason why not', () => {
  expect(suspects.length).toBeGreaterThan(30);
  expect(suspects.filter((name) => !covered.includes(name) && !Object.hasOwn(otherExports, name))).toEqual([]);
});

test('every file that decodes has something in the table, or is named with the reason why not', () => {
  const decoding = sources.filter(({ text }) => DECODING.test(text)).map(({ path }) => path);
  expect(decoding.length).toBeGreaterThan(30);
  expect(decoding.filter((path) => !files.has(path) && !Object.hasOwn(otherFiles, path))).toEqual([]);
});

test('the table and its exceptions name nothing that is not there, and nothing twice', () => {
  const named = [...covered, ...Object.keys(otherExports)];
  expect(named.filter((name) => !exported.includes(name))).toEqual([]);
  expect(named.filter((name, i) => named.indexOf(name) !== i)).toEqual([]);
  expect(
    Object.keys(otherFiles).filter((path) => files.has(path) || !sources.some((each) => each.path === path)),
  ).toEqual([]);
  const names = decoders.map(({ name }) => name);
  expect(names.filter((name, i) => names.indexOf(name) !== i)).toEqual([]);
});
