import { expectedTensors } from '../../clip/weights.ts';
import { openSafetensors } from '../../files/safetensors.ts';
import type { ByteSource } from '../../files/sources.ts';
import { latePositionsName } from '../longPositions.ts';
import { textEncoder } from '../openCheckpoint.ts';
import { fileTensorName } from '../tensorNames.ts';

/** Bytes [start, end) of a file. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/** A file made of `header`, followed by ranges of another file. */
export interface DownloadPlan {
  readonly header: Uint8Array<ArrayBuffer>;
  /** Ranges in ascending order that do not touch. */
  readonly ranges: readonly ByteRange[];
  /** Length of the new file. */
  readonly bytes: number;
}

export function wholePlan(size: number): DownloadPlan {
  return { header: new Uint8Array(0), ranges: [{ start: 0, end: size }], bytes: size };
}

/** Sorts ranges, and joins those that lie at most `gap` bytes apart. */
export function coalesce(ranges: readonly ByteRange[], gap = 0): ByteRange[] {
  const joined: ByteRange[] = [];
  for (const { start, end } of ranges.toSorted((a, b) => a.start - b.start)) {
    const last = joined.at(-1);
    if (last && start - last.end <= gap)
      joined[joined.length - 1] = { start: last.start, end: Math.max(last.end, end) };
    else joined.push({ start, end });
  }
  return joined;
}

/**
 * Plans to extract the text encoder of a safetensors checkpoint, and the projection beside it, into a file of its own. Tensors keep
 * their names and their order, so that they can be written as they arrive. Reads only the header. Throws CheckpointError or
 * SafetensorsError if there is no usable encoder, and what `source` throws.
 */
export async function encoderPlan(source: ByteSource, signal?: AbortSignal): Promise<DownloadPlan> {
  let asked: ByteRange | null = null;
  let opened = false;
  // A tensor's position is found out by reading it: the range that it asks for is noted.
  const noting: ByteSource = {
    name: source.name,
    size: source.size,
    async read(start, end, signal) {
      if (!opened) return source.read(start, end, signal);
      asked = { start, end };
      return new Uint8Array(0);
    },
  };
  const file = await openSafetensors(noting, signal);
  const encoder = textEncoder(file);
  opened = true;
  const tensors: (ByteRange & { name: string; dtype: string; shape: readonly number[] })[] = [];
  const late = latePositionsName(encoder.layout);
  // OpenCLIP joins q, k and v in one tensor, whose name therefore comes three times.
  const names = [
    ...[...expectedTensors(encoder.config).keys()].map((name) => fileTensorName(name, encoder.layout)),
    ...(file.tensors.has(late) ? [late] : []),
    ...encoder.beside.map(({ name }) => name),
  ];
  for (const name of new Set(names)) {
    const { dtype, shape, read } = file.tensors.get(name)!;
    await read(signal);
    tensors.push({ name, dtype, shape, ...asked! });
  }
  tensors.sort((a, b) => a.start - b.start);

  const entries: Record<string, unknown> = { __metadata__: encoder.copiedMetadata };
  let at = 0;
  for (const { name, dtype, shape, start, end } of tensors) {
    entries[name] = { dtype, shape, data_offsets: [at, at + end - start] };
    at += end - start;
  }
  const json = new TextEncoder().encode(JSON.stringify(entries));
  const padded = Math.ceil(json.length / 8) * 8;
  const header = new Uint8Array(8 + padded).fill(0x20);
  new DataView(header.buffer).setBigUint64(0, BigInt(padded), true);
  header.set(json, 8);
  return { header, ranges: coalesce(tensors), bytes: header.length + at };
}
