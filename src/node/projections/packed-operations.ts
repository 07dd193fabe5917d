/**
 * Operations on the store in one buffer, which crosses from one thread to another without being copied.
 *
 *     kind u8, length of the key u32, length of the value u32, key, value     big-endian; a delete has no value
 */
import { assert } from '../../base/assert.ts';
import type { StoreOperation } from '../../store/store.ts';

const HEAD_BYTES = 9;
const PUT = 1;
const DELETE = 0;
const NOTHING = new Uint8Array(0);

export function packOperations(operations: readonly StoreOperation[]): Uint8Array<ArrayBuffer> {
  let length = 0;
  for (const operation of operations) length += HEAD_BYTES + operation.key.length + valueOf(operation).length;
  const packed = new Uint8Array(length);
  const view = new DataView(packed.buffer);
  let offset = 0;
  for (const operation of operations) {
    const { key } = operation;
    const value = valueOf(operation);
    packed[offset] = operation.kind === 'put' ? PUT : DELETE;
    view.setUint32(offset + 1, key.length);
    view.setUint32(offset + 5, value.length);
    packed.set(key, offset + HEAD_BYTES);
    packed.set(value, offset + HEAD_BYTES + key.length);
    offset += HEAD_BYTES + key.length + value.length;
  }
  return packed;
}

/** Of our own packing. Keys and values are parts of the buffer. */
export function unpackOperations(packed: Uint8Array): readonly StoreOperation[] {
  const view = new DataView(packed.buffer, packed.byteOffset, packed.byteLength);
  const operations: StoreOperation[] = [];
  let offset = 0;
  while (offset < packed.length) {
    const keyAt = offset + HEAD_BYTES;
    const valueAt = keyAt + view.getUint32(offset + 1);
    const end = valueAt + view.getUint32(offset + 5);
    assert(end <= packed.length, 'packed operations are whole', { end, length: packed.length });
    const key = packed.subarray(keyAt, valueAt);
    if (packed[offset] === PUT) operations.push({ kind: 'put', key, value: packed.subarray(valueAt, end) });
    else operations.push({ kind: 'delete', key });
    offset = end;
  }
  return operations;
}

function valueOf(operation: StoreOperation): Uint8Array {
  return operation.kind === 'put' ? operation.value : NOTHING;
}
