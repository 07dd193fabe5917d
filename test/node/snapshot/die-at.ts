/**
 * Preloaded (`--import`), it ends its process with SIGKILL before the n-th thing that a thread does to a file of the path in
 * DIE_WITHIN, or before its n-th pause: `DIE_AT=main:7` or `DIE_AT=worker:7`. A write is cut in the middle.
 */
import fs from 'node:fs';
import promises, { type FileHandle } from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import timers from 'node:timers/promises';
import { isMainThread } from 'node:worker_threads';

type Call = (...values: unknown[]) => unknown;

const [thread, step] = (process.env['DIE_AT'] ?? '').split(':');
const within = process.env['DIE_WITHIN'] ?? '';
const isHere = (thread === 'main') === isMainThread;
const ofInterest = new Set<unknown>();
let stepsLeft = Number(step);

function isLast(): boolean {
  return isHere && --stepsLeft === 0;
}

function die(): void {
  process.kill(process.pid, 'SIGKILL');
}

function isWithin(path: unknown): boolean {
  return typeof path === 'string' && path.includes(within);
}

function watch(object: object, name: string, concerns: (first: unknown) => boolean): void {
  const calls = object as Record<string, Call>;
  const original = calls[name] as Call;
  calls[name] = (...values) => {
    if (concerns(values[0]) && isLast()) die();
    return original.apply(object, values);
  };
}

function watchWrites(): void {
  const original = fs.writeSync as Call;
  (fs as unknown as Record<string, Call>)['writeSync'] = (file, bytes, at, length, position) => {
    if (ofInterest.has(file) && isLast()) {
      const { length: all } = bytes as Uint8Array;
      original(file, bytes, at ?? 0, ((length as number | undefined) ?? all - Number(at ?? 0)) >> 1, position);
      die();
    }
    return original(file, bytes, at, length, position);
  };
}

function watchHandle(handle: FileHandle): FileHandle {
  for (const name of ['write', 'writeFile', 'sync', 'datasync']) watch(handle, name, () => true);
  return handle;
}

for (const name of ['renameSync', 'mkdirSync', 'rmSync', 'openSync']) watch(fs, name, isWithin);
for (const name of ['rename', 'mkdir', 'rm', 'open']) watch(promises, name, isWithin);
for (const name of ['fdatasyncSync', 'fsyncSync']) watch(fs, name, (file) => ofInterest.has(file));
watchWrites();
watch(timers, 'setTimeout', () => true);

const openSync = fs.openSync as Call;
(fs as unknown as Record<string, Call>)['openSync'] = (...values) => {
  const file = openSync(...values);
  if (isWithin(values[0])) ofInterest.add(file);
  else ofInterest.delete(file);
  return file;
};
const open = promises.open as unknown as (...values: unknown[]) => Promise<FileHandle>;
(promises as unknown as Record<string, Call>)['open'] = async (...values) => {
  const handle = await open(...values);
  return isWithin(values[0]) ? watchHandle(handle) : handle;
};
syncBuiltinESMExports();
