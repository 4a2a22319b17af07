/* tests/unit/test-image.c -- an image on the disk goes on where it was cut, and is used only as it was signed. */
#include "tests/test.h"

#include "agent/image.h"
#include "base/fs.h"

#include <fcntl.h>
#include <unistd.h>

enum { SIZE = 9 << 20 };

static void make_image(uint8_t *out, uint8_t hash[static HASH_LEN])
{
	for (size_t i = 0; i < SIZE; i++)
		out[i] = (uint8_t)(i * 31 + i / 251);
	sha256(hash, bytes_of(out, SIZE));
}

TEST(an_image_goes_on_where_it_was_cut_and_is_another_when_the_disk_lost_some_of_it)
{
	_cleanup_(mem_freep) uint8_t *all = mem_alloc(SIZE);
	_cleanup_(mem_freep) char *path = mem_printf("%s/image", test_folder());
	struct error err = { 0 };
	struct image image;
	uint8_t want[HASH_LEN];
	int fd, rounds = 0;

	make_image(all, want);
	CHECK_OK(image_open(&image, path, SIZE, want, &err));
	CHECK_OK(image_hash(&image, &err));
	CHECK_OK(image_add(&image, 0, bytes_of(all, SIZE / 2), &err));
	CHECK_EQ(image_check(&image, &err), IMAGE_SHORT);
	image_close(&image);

	CHECK_OK(image_open(&image, path, SIZE, want, &err));
	while (image_hash(&image, &err) == IMAGE_MORE)
		rounds++;
	CHECK(rounds > 0); /* a large one is hashed in pieces */
	CHECK_EQ(image.have, SIZE / 2);
	CHECK_EQ(image_add(&image, SIZE / 2 + 1, bytes_of(all, 10), &err), E_PEER);
	CHECK_EQ(image_add(&image, SIZE / 2, bytes_of(all, SIZE / 2 + 1), &err), E_PEER);
	CHECK_OK(image_add(&image, SIZE / 2 - 100, bytes_of(all + SIZE / 2 - 100, 200), &err)); /* what is there is passed over */
	CHECK_EQ(image.have, SIZE / 2 + 100);
	CHECK_OK(image_add(&image, 0, bytes_of(all, SIZE), &err));
	CHECK_OK(image_check(&image, &err));
	image_close(&image);

	fd = image_use(path, SIZE, want, &err);
	CHECK(fd >= 0);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 0);
	close(fd);
	CHECK_EQ(image_use(path, SIZE - 1, want, &err), E_SEAL);
	fd = open(path, O_WRONLY);
	CHECK_EQ(pwrite(fd, "x", 1, SIZE / 3), 1);
	close(fd);
	CHECK_EQ(image_use(path, SIZE, want, &err), E_SEAL);
	CHECK_OK(image_open(&image, path, SIZE, want, &err));
	while (image_hash(&image, &err) == IMAGE_MORE)
		;
	CHECK_EQ(image_check(&image, &err), E_SEAL);
	CHECK_EQ(image.have, 0); /* thrown away */
	image_close(&image);
}

TEST(a_file_that_is_longer_than_the_image_is_begun_anew)
{
	_cleanup_(mem_freep) char *path = mem_printf("%s/long", test_folder());
	struct error err = { 0 };
	uint8_t want[HASH_LEN];
	struct image image;

	sha256(want, bytes_str("image"));
	CHECK_OK(fs_write(path, bytes_str("another image"), 0600, &err));
	CHECK_OK(image_open(&image, path, 5, want, &err));
	CHECK_OK(image_hash(&image, &err));
	CHECK_OK(image_add(&image, 0, bytes_str("image"), &err));
	CHECK_OK(image_check(&image, &err));
	image_close(&image);
}
