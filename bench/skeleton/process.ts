/** One of the four processes. The parent says who it is, then where the others listen, then how much to submit. */
import { createPrivateKey, createPublicKey } from 'node:crypto';
import { closeSync, fdatasyncSync, openSync, writeSync } from 'node:fs';
import { sha256Hex, ZERO_HASH } from '../../src/base/hash.ts';
import { utf8 } from '../../src/base/bytes.ts';
import { unwrap } from '../../src/base/result.ts';
import { possessionPreimage } from '../../src/qc/ballot.ts';
import { genesisCertificate } from '../../src/qc/certificate.ts';
import { secretKeyFromSeed } from '../../src/qc/keys.ts';
import { nativeScheme } from '../../src/qc/scheme-native.ts';
import { makeValidatorSet } from '../../src/qc/validator-set.ts';
import { Mesh } from './mesh.ts';
import { Replica } from './replica.ts';

export type Command =
  | { readonly kind: 'start'; readonly index: number; readonly n: number; readonly file: string }
  | { readonly kind: 'join'; readonly ports: readonly number[] }
  /** To one process: submit so many events, one at a time. */
  | { readonly kind: 'submit'; readonly commits: number; readonly eventBytes: number }
  | { readonly kind: 'usage' }
  | { readonly kind: 'stop' };

export type Report =
  | { readonly kind: 'listening'; readonly port: number }
  | { readonly kind: 'joined' }
  | { readonly kind: 'latencies'; readonly ms: readonly number[] }
  | { readonly kind: 'usage'; readonly cpuMs: number; readonly commits: number; readonly log: string };

let acknowledge: () => void = () => undefined;
let commits = 0;
let log: string = ZERO_HASH;
let mesh: Mesh;
let replica: Replica;
let file: number;

function report(message: Report): void {
  process.send?.(message);
}

async function obey(command: Command): Promise<void> {
  switch (command.kind) {
    case 'start':
      file = openSync(command.file, 'a');
      replica = makeReplica(command.index, command.n);
      mesh = new Mesh(command.index, (from, frame) => {
        replica.frame(from, frame);
      });
      return report({ kind: 'listening', port: await mesh.listen() });
    case 'join':
      await mesh.join(command.ports);
      return report({ kind: 'joined' });
    case 'submit':
      return report({ kind: 'latencies', ms: await submitOneByOne(command.commits, command.eventBytes) });
    case 'usage': {
      const { user, system } = process.cpuUsage();
      return report({ kind: 'usage', cpuMs: (user + system) / 1000, commits, log });
    }
    case 'stop':
      mesh.close();
      closeSync(file);
      return process.disconnect();
  }
}

async function submitOneByOne(count: number, eventBytes: number): Promise<number[]> {
  const latencies: number[] = [];
  for (let i = 0; i < count; i++) {
    const event = new Uint8Array(eventBytes).fill(7);
    new DataView(event.buffer).setUint32(0, commits);
    const started = performance.now();
    const acknowledged = new Promise<void>((resolve) => (acknowledge = resolve));
    replica.submit(event);
    await acknowledged;
    latencies.push(performance.now() - started);
  }
  return latencies;
}

/** The keys are the same in every run and of no secrecy: the numbers 0 to n - 1. */
function makeReplica(index: number, n: number): Replica {
  const indexes = Array.from({ length: n }, (_, i) => i);
  const blsKeys = indexes.map((i) => secretKeyFromSeed(new Uint8Array(32).fill(i)));
  const identityKeys = indexes.map((i) => ed25519Key(new Uint8Array(32).fill(i)));
  const registrations = indexes.map((i) => {
    const blsPublicKey = nativeScheme.publicKeyOf(blsKeys[i]!);
    const peerId = `process-${i}`;
    const proofOfPossession = nativeScheme.sign(blsKeys[i]!, possessionPreimage(peerId, blsPublicKey));
    return { peerId, blsPublicKey, proofOfPossession };
  });
  return new Replica({
    index,
    context: {
      chainId: 'skeleton',
      validators: unwrap(makeValidatorSet(0, registrations, nativeScheme)),
      genesis: genesisCertificate(0, ZERO_HASH),
    },
    scheme: nativeScheme,
    blsKey: blsKeys[index]!,
    identityKey: identityKeys[index]!,
    identityKeys: identityKeys.map((key) => createPublicKey(key)),
    send: (to, frame) => {
      mesh.send(to, frame);
    },
    broadcast: (frame) => {
      mesh.broadcast(frame);
    },
    persist: (bytes) => {
      writeSync(file, bytes);
      fdatasyncSync(file);
    },
    committed: (id) => {
      commits++;
      log = sha256Hex(utf8(log + id));
      acknowledge();
    },
  });
}

function ed25519Key(seed: Uint8Array) {
  // PKCS #8 of an ed25519 key up to its 32 bytes (RFC 8410, section 7).
  const prefix = Buffer.from('302e020100300506032b657004220420', 'hex');
  return createPrivateKey({ key: Buffer.concat([prefix, seed]), format: 'der', type: 'pkcs8' });
}

process.on('message', (command: Command) => {
  obey(command).catch((error: unknown) => {
    console.error(error);
    process.exit(1);
  });
});
