import './views/page/base.css';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { startClipscope } from './state/start.ts';
import { App } from './views/page/App.tsx';
import { StoreContext } from './views/page/useFacts.ts';

const store = await startClipscope();
// The theme is applied before the first paint, and before pictures that take colours from the style sheet are drawn anew.
const applyTheme = ({ theme }: { readonly theme: string }) => {
  document.documentElement.dataset.theme = theme;
};
applyTheme(store.getState());
store.subscribe(applyTheme);

createRoot(document.getElementById('root') as HTMLElement).render(
  <StrictMode>
    <StoreContext value={store}>
      <App />
    </StoreContext>
  </StrictMode>,
);
