export const Page = () => <div class="pg" />;
