import { type RefObject, use } from 'react';
import { type PictureOrigin, pictureOrigin } from '../../state/pictureOrigin.ts';
import { StoreContext } from '../page/useFacts.ts';
import type { PictureText } from './pictureFile.ts';
import { fileName, saveFile } from './saveFile.ts';
import styles from './savePicture.module.css';

interface SavePngProps {
  readonly canvas: RefObject<HTMLCanvasElement | null>;
  readonly text: PictureText;
  /** Says of what the picture is, where it is not of the prompt. */
  origin?(): PictureOrigin;
}

/** Saves a canvas of one pixel a cell, with title, origin, axes and legend. */
export function SavePng({ canvas, text, origin }: SavePngProps) {
  const save = async (origin: PictureOrigin) => {
    const { pictureFile } = await import('./pictureFile.ts');
    if (!canvas.current) return;
    const png = await pictureFile(canvas.current, text, origin);
    saveFile(`${fileName(text.title, origin.inShort)}.png`, png, 'image/png');
  };
  return <SaveButton title={text.title} format="PNG" origin={origin} onSave={save} />;
}

interface SaveSvgProps {
  readonly title: string;
  svg(origin: PictureOrigin): Promise<string>;
}

/** Saves a line drawing. */
export function SaveSvg({ title, svg }: SaveSvgProps) {
  const save = async (origin: PictureOrigin) =>
    saveFile(`${fileName(title, origin.inShort)}.svg`, await svg(origin), 'image/svg+xml');
  return <SaveButton title={title} format="SVG" onSave={save} />;
}

interface SaveButtonProps {
  readonly title: string;
  readonly format: string;
  origin?(): PictureOrigin;
  onSave(origin: PictureOrigin): Promise<void>;
}

function SaveButton({ title, format, origin, onSave }: SaveButtonProps) {
  const store = use(StoreContext);
  return (
    <button
      type="button"
      className={`small ${styles.savePicture}`}
      aria-label={`Save ${format}: ${title}`}
      onClick={() => store && void onSave(origin?.() ?? pictureOrigin(store.getState()))}
    >
      Save {format}
    </button>
  );
}
