/** What Go's own `encoding/json` makes of commands and snapshots of the older system: the Go server's `-decode`. */
import { spawn } from 'node:child_process';
import { goPeer } from './go-build.ts';

export type GoDecoded =
  | { readonly taken: false; readonly why: string }
  /** `value`: hexadecimal, as it may be no UTF-8. */
  | { readonly taken: true; readonly op: string; readonly key: string; readonly value: string };

export type GoSnapshot =
  | { readonly taken: false; readonly why: string }
  /** `canonical`: hexadecimal. */
  | { readonly taken: true; readonly size: number; readonly canonical: string };

const LIMIT_MS = 60_000;

/** @returns one answer a command, in order */
export async function decodeWithGo(commands: readonly Uint8Array[]): Promise<readonly GoDecoded[]> {
  return (await linesOf('-decode', commands)) as readonly GoDecoded[];
}

/** @returns one answer a snapshot, in order */
export async function canonicalWithGo(snapshots: readonly Uint8Array[]): Promise<readonly GoSnapshot[]> {
  return (await linesOf('-canonical', snapshots)) as readonly GoSnapshot[];
}

async function linesOf(mode: string, inputs: readonly Uint8Array[]): Promise<readonly unknown[]> {
  const child = spawn(await goPeer(), [mode], { stdio: ['pipe', 'pipe', 'inherit'], timeout: LIMIT_MS });
  const chunks: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
  const ended = new Promise<number | null>((resolve, reject) => child.once('close', resolve).once('error', reject));
  child.stdin.end(inputs.map((input) => `${Buffer.from(input).toString('hex')}\n`).join(''));
  const code = await ended;
  const lines = Buffer.concat(chunks).toString().split('\n').slice(0, -1);
  if (code !== 0 || lines.length !== inputs.length) throw new Error(`Go answered ${lines.length} of ${inputs.length}`);
  return lines.map((line) => JSON.parse(line) as unknown);
}
