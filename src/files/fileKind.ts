/** The kind of a file, recognised by its first bytes, so that a message can name a wrong file's kind. */
export type FileKind =
  | 'safetensors'
  | 'empty'
  | 'zip'
  | 'pickle'
  | 'gguf'
  | 'hdf5'
  | 'npy'
  | 'web page'
  | 'git-lfs pointer'
  | 'image'
  | 'compressed'
  | 'unknown';

const starts: readonly [FileKind, readonly number[]][] = [
  ['zip', [0x50, 0x4b, 0x03, 0x04]],
  ['zip', [0x50, 0x4b, 0x05, 0x06]],
  ['gguf', [0x47, 0x47, 0x55, 0x46]],
  ['hdf5', [0x89, 0x48, 0x44, 0x46]],
  ['npy', [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59]],
  ['image', [0x89, 0x50, 0x4e, 0x47]],
  ['image', [0xff, 0xd8, 0xff]],
  ['image', [0x52, 0x49, 0x46, 0x46]],
  ['compressed', [0x1f, 0x8b]],
  ['compressed', [0x37, 0x7a, 0xbc, 0xaf]],
  ['compressed', [0x52, 0x61, 0x72, 0x21]],
];

/** Recognises a file's kind. `head` holds its first bytes; 64 are enough. */
export function fileKind(head: Uint8Array): FileKind {
  if (head.length === 0) return 'empty';
  // This comes first, because a header's length may look like another kind's mark: 35615 is 1f 8b.
  if (head[8] === 0x7b && head.subarray(4, 8).every((byte) => byte === 0)) return 'safetensors';
  for (const [kind, magic] of starts) if (magic.every((byte, i) => head[i] === byte)) return kind;
  if (head[0] === 0x80 && head[1] >= 2 && head[1] <= 5) return 'pickle';
  const text = new TextDecoder().decode(head.subarray(0, 64)).trimStart();
  if (/^<(!doctype|!--|html|head|\?xml)/i.test(text)) return 'web page';
  if (text.startsWith('version https://git-lfs')) return 'git-lfs pointer';
  return 'unknown';
}

/** Completes the sentence about a file that should have been safetensors: "is …". */
export function describeKind(kind: Exclude<FileKind, 'safetensors' | 'unknown'>): string {
  switch (kind) {
    case 'empty':
      return 'is empty';
    case 'zip':
      return "is a zip archive, as PyTorch's .ckpt, .pt and .bin files are, not a safetensors file";
    case 'pickle':
      return 'is a Python pickle, as old .ckpt, .pt and .bin files are, not a safetensors file';
    case 'gguf':
      return 'is a GGUF file, whose weights of few bits are not read; open the safetensors file it was made from';
    case 'hdf5':
      return 'is an HDF5 file, not a safetensors file';
    case 'npy':
      return 'is a NumPy array, not a set of named tensors';
    case 'web page':
      return 'is a web page: the download was answered with HTML instead of the file';
    case 'git-lfs pointer':
      return 'is a Git LFS pointer of a few lines, not the file it stands for';
    case 'image':
      return 'is a picture, not a safetensors file';
    case 'compressed':
      return 'is compressed; unpack it first';
    default:
      return kind satisfies never;
  }
}
